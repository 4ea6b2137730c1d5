"""What a rule can say."""

import msgspec

from shared.actions import AnyAction


class Refusal(msgspec.Struct, frozen=True):
    """An order does not pass. `rule` is the stable id, `detail` the measured value against its limit."""

    rule: str
    detail: str


class Demand(msgspec.Struct, frozen=True):
    """The site must do this now, by itself."""

    rule: str
    device_id: str
    action: AnyAction
    detail: str


AlarmKey = tuple[str, str]
"""Code and subject."""


class Alarm(msgspec.Struct, frozen=True):
    """A rule holds or no longer holds for a subject (device, container or feeder)."""

    rule: str
    subject: str
    active: bool
    detail: str
