"""What the power door writes into the journal. Stream `command/<id>`; for plans `plan/<site>/<node>`."""

import msgspec

from controller.commands.model import Confirmation, OrderLine, Origin, Reach
from controller.journal import EventCodec
from shared.wire.command import OutcomeRow


class CommandRequested(msgspec.Struct, frozen=True, kw_only=True):
    """Always first. With `approval_until_ms` it waits for a second person until then.

    `session` and `sponsor` are those of the actor. Before there was an origin `dispatch`, its commands said `program`.
    """

    command_id: str
    site: str
    origin: Origin
    session: str
    reason: str
    expires_in_s: float
    orders: tuple[OrderLine, ...]
    reach: Reach
    confirmation: Confirmation
    approval_until_ms: int | None = None
    retry_of: str = ""
    sponsor: str = ""


class CommandApproved(msgspec.Struct, frozen=True):
    """By the event's actor, as second person."""

    command_id: str


class CommandDropped(msgspec.Struct, frozen=True):
    """It never left the controller: rejected by a person, or nobody approved it in time."""

    command_id: str
    rule: str
    detail: str


class IssuedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What one node was told: `orders` are places in the request. Nothing is expected after `deadline_ms`."""

    number: int
    node: str
    key_id: str
    counter: int
    issued_at_ms: int
    expires_at_ms: int
    deadline_ms: int
    orders: tuple[int, ...]
    sealed_sha256: str


class CommandIssued(msgspec.Struct, frozen=True):
    command_id: str
    site: str
    parts: tuple[IssuedPart, ...]


class PartSent(msgspec.Struct, frozen=True):
    """The broker has taken it."""

    command_id: str
    part: int


class PartResent(msgspec.Struct, frozen=True):
    """Its node came back without a word about it, so the same bytes are queued for the broker once more."""

    command_id: str
    part: int


class PartAbandoned(msgspec.Struct, frozen=True):
    """Its time is over; what is still open is unknown. `rule` tells why."""

    command_id: str
    part: int
    rule: str
    detail: str


class OutcomesRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a node said, in one of its durable records (epoch, seq)."""

    command_id: str
    part: int
    node: str
    epoch: str
    seq: int
    rows: tuple[OutcomeRow, ...]


class SiteActed(msgspec.Struct, frozen=True, kw_only=True):
    """The first outcome of something that no command of ours asked for: the site's own rules acted."""

    command_id: str
    site: str
    node: str


class SiteDenied(msgspec.Struct, frozen=True, kw_only=True):
    """A node refused a message that it could not trust enough to name."""

    site: str
    node: str
    epoch: str
    seq: int
    rows: tuple[OutcomeRow, ...]


class RequestDenied(msgspec.Struct, frozen=True):
    """Somebody asked for what the door refuses."""

    site: str
    rule: str
    detail: str
    orders: int


class PlanIssued(msgspec.Struct, frozen=True, kw_only=True):
    """`shed_order` is written where it is another than in the node's former plan, else only its digest: that of the
    nearest event before it in the stream which has one.
    """

    plan_id: str
    site: str
    node: str
    key_id: str
    counter: int
    valid_from_ms: int
    valid_until_ms: int
    intervals: tuple[tuple[int, int | None], ...]
    shed_order: tuple[str, ...]
    fallback_cap_w: int | None
    sealed_sha256: str
    shed_sha256: str = ""


class PlanSent(msgspec.Struct, frozen=True):
    plan_id: str


class PlanUndelivered(msgspec.Struct, frozen=True):
    plan_id: str
    detail: str


CommandEvent = (
    CommandRequested
    | CommandApproved
    | CommandDropped
    | CommandIssued
    | PartSent
    | PartResent
    | PartAbandoned
    | OutcomesRecorded
    | SiteActed
)

codec = EventCodec(
    (
        CommandRequested,
        CommandApproved,
        CommandDropped,
        CommandIssued,
        PartSent,
        PartResent,
        PartAbandoned,
        OutcomesRecorded,
        SiteActed,
        SiteDenied,
        RequestDenied,
        PlanIssued,
        PlanSent,
        PlanUndelivered,
    )
)


def command_stream(command_id: str) -> str:
    return f"command/{command_id}"
