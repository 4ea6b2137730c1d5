"""What arrives, what a group of it became, and what consumers are handed."""

from typing import Any, NamedTuple

import msgspec

from shared.wire.record import Hello

REASON_UNHELD = "unheld"  # released by the node on our receipt, but not in this store: a restored backup
UNFIT = "storage.unfit"  # code of a record that is understood but that the store cannot take
REASON_UNDECODABLE = "undecodable"  # whole, but of a shape that this program does not know; kept in quarantine


class RecordArrival(NamedTuple):
    """A record whose checksum fits and whose body was decoded to `message`; `body` is the body as it came."""

    site: str
    node: str
    epoch: str
    seq: int
    kind: int
    body: bytes
    message: Any


class HelloArrival(NamedTuple):
    site: str
    node: str
    hello: Hello


class Rejection(NamedTuple):
    """A frame that was not understood. `record` names it where at least the envelope was whole: it then counts as
    accounted for, because the quarantine keeps every byte and nobody will ever understand a repetition better.
    """

    topic: str
    code: str
    detail: str
    payload: bytes
    record: tuple[str, str, str, int] | None = None  # site, node, epoch, seq


class Group(NamedTuple):
    """What one transaction stores, in the order of arrival."""

    records: list[RecordArrival]
    hellos: list[HelloArrival]
    rejections: list[Rejection]


class GroupResult(msgspec.Struct):
    """`marks` after the commit by (site, node, epoch), for every lane that was touched; `fresh` are the records that
    were stored by this group, not before; `inbox` counts new rows for consumers.
    """

    marks: dict[tuple[str, str, str], int] = {}
    fresh: list[RecordArrival] = []
    rejected: list[Rejection] = []
    duplicates: int = 0
    samples: int = 0
    inbox: int = 0


class InboxItem(NamedTuple):
    """One record for a consumer, until it says `done`."""

    number: int
    kind: int
    site: str
    node: str
    epoch: str
    seq: int
    body: bytes


class Refused(NamedTuple):
    """Why a consumer did not take a record; `again` where a later try may go better."""

    code: str
    detail: str
    again: bool


class GapEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the gap ledger. None is unknown."""

    site: str
    node: str
    epoch: str
    from_seq: int
    to_seq: int
    samples: int | None
    reason: str
    first_ms: int | None
    last_ms: int | None
    recorded_at_ms: int
