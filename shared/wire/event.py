"""What a node found worth a person's or a program's attention, and what it knows of its devices."""

import msgspec

from shared.site import Site
from shared.wire.bound import Code, Count, Millis
from shared.wire.version import WIRE_VERSION


class Event(msgspec.Struct, array_like=True, frozen=True):
    """Something happened. `code` is stable (`interlock.inlet-high`, `device.silent`) and has a line in docs/events.md.

    An alarm is raised with `active` true and cleared by the same (code, subject) with `active` false; `severity` 0 is a
    plain notice. `subject` is a device or feeder id.
    """

    at_ms: Millis
    code: str
    subject: str
    severity: Code
    text: str
    active: bool = True
    data: dict[str, str | int | float | bool | None] = {}


class EventBatch(msgspec.Struct, array_like=True, frozen=True):
    version: int = WIRE_VERSION
    events: tuple[Event, ...] = ()


class DeviceRecord(msgspec.Struct, array_like=True, frozen=True):
    """Who a device is. `verbs` are the actions that its driver can carry out; `curve` its power ladder, watts at the
    wall to TH/s, ascending in watts, empty where nobody knows it.
    """

    device_id: str
    kind: str
    family: str
    model: str = ""
    vendor: str = ""
    firmware: str = ""
    mac: str = ""
    serial: str = ""
    address: str = ""
    profile: str = ""
    profile_sha256: str = ""
    verbs: tuple[str, ...] = ()
    curve: tuple[tuple[Count, float], ...] = ()
    sleep_w: Count = 0
    confirm_within_s: dict[str, float] = {}


class Inventory(msgspec.Struct, array_like=True, frozen=True):
    """What a node's site is and which devices it knows: `site` whole, `devices` only those that changed."""

    version: int = WIRE_VERSION
    at_ms: Millis = 0
    site: Site | None = None
    devices: tuple[DeviceRecord, ...] = ()
