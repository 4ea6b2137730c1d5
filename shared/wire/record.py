"""The durable lane: what a node keeps until the controller's receipt says that it is stored.

A record is known by (node, epoch, seq). `epoch` names the spool file that gave the number; `seq` starts at 1 and is
never used twice in an epoch. `crc` covers seq and body, so that a flipped bit is found at either end.
"""

import zlib
from enum import IntEnum

import msgspec

from shared.errors import DecodeFailed
from shared.wire.bound import Count, Millis
from shared.wire.version import WIRE_VERSION


class RecordKind(IntEnum):
    """Chooses the topic leaf and the type of the body; append only."""

    TELEMETRY = 1  # TelemetryBatch
    EVENT = 2  # EventBatch
    RESULT = 3  # OutcomeBatch
    INVENTORY = 4  # Inventory
    GAP = 5  # GapBatch

    @property
    def leaf(self) -> str:
        return _LEAVES[self]


_LEAVES = {
    RecordKind.TELEMETRY: "telemetry",
    RecordKind.EVENT: "event",
    RecordKind.RESULT: "result",
    RecordKind.INVENTORY: "event",
    RecordKind.GAP: "event",
}


class Record(msgspec.Struct, array_like=True, frozen=True):
    """`body` is the zstd-compressed MessagePack of the message that `kind` names; `samples` is its row count."""

    version: int
    epoch: str
    seq: int
    kind: int
    crc: int
    samples: int
    body: bytes


class Gap(msgspec.Struct, array_like=True, frozen=True):
    """Records `from_seq` to `to_seq` of an epoch are gone, and why; stored so that no mark waits for them.

    `samples`, `first_ms` and `last_ms` (when the records were accepted) are None where nobody knows any more.
    """

    epoch: str
    from_seq: int
    to_seq: int
    samples: Count | None
    reason: str  # disk_full_downsampled, retention, corruption, operator
    first_ms: Millis | None
    last_ms: Millis | None
    version: int = WIRE_VERSION


class GapBatch(msgspec.Struct, array_like=True, frozen=True):
    version: int = WIRE_VERSION
    gaps: tuple[Gap, ...] = ()


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """First words of a session: what the node holds, so that the controller can answer with its mark.

    `lowest_seq` is one more than the last that a receipt released: the node answers for nothing below it. `salvaged`
    tells an epoch that lives on only until its rows are stored from the one that gives new numbers.
    """

    version: int
    epoch: str
    lowest_seq: int
    highest_seq: int
    rows: Count
    boot_id: str
    role: str  # site, signer
    software: str
    sent_at_ms: Millis
    public_key: bytes = b""
    oldest_ms: Millis | None = None
    salvaged: bool = False


class Presence(msgspec.Struct, array_like=True, frozen=True):
    """Retained under `presence`: said by the node when it comes, by its will when it is lost."""

    version: int
    online: bool
    boot_id: str
    at_ms: Millis | None = None  # a will cannot know when it is spoken


RECEIPT_DOMAIN = b"bes/receipt/v1"


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """Everything of `epoch` up to and including `mark` is stored or covered by a gap. Signed by the controller."""

    version: int
    site: str
    node: str
    epoch: str
    mark: int
    issued_at_ms: int


def checksum(seq: int, body: bytes) -> int:
    """CRC-32 over the number and the body."""
    return zlib.crc32(body, zlib.crc32(seq.to_bytes(8, "big")))


def check(record: Record) -> None:
    if checksum(record.seq, record.body) != record.crc:
        raise DecodeFailed(f"record {record.seq} of epoch {record.epoch[:8]} has a wrong checksum")
