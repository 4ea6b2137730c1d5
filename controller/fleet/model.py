"""Sites, nodes and devices as the nodes themselves report them."""

from typing import NamedTuple

import msgspec

from shared.site import Site
from shared.wire.event import DeviceRecord


class RecordIdentity(NamedTuple):
    """Which durable record a message came in; a record is handled once, however often it arrives."""

    epoch: str
    seq: int


class SiteRecord(msgspec.Struct, frozen=True):
    """A site's description as last accepted, and from which node."""

    site: Site
    node: str
    changed_at_ms: int


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device and the node that speaks to it; `epoch` and `seq` name the record that described it last."""

    site: str
    node: str
    record: DeviceRecord
    epoch: str
    seq: int
    changed_at_ms: int

    @property
    def device_id(self) -> str:
        return self.record.device_id

    @property
    def max_power_w(self) -> int | None:
        """The highest step of its power ladder; None where nobody knows it."""
        return self.record.curve[-1][0] if self.record.curve else None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """An agent. Spool figures are those of its last hello; `gaps` counts its gap records, the ledger has them whole."""

    site: str
    node: str
    role: str
    software: str
    boot_id: str
    epoch: str
    highest_seq: int
    backlog_rows: int
    backlog_oldest_ms: int | None
    public_key: bytes
    hello_at_ms: int
    last_contact_ms: int
    gaps: int = 0
    last_gap_ms: int | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """An event that needs nobody."""

    site: str
    node: str
    at_ms: int
    code: str
    subject: str
    text: str
