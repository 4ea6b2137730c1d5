"""Miners that a person operates: dispatch leaves them alone until they are released or ordered to wake."""

import msgspec

from controller.views import unit


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """`command_id` is the command that began it."""

    device_id: str
    slot: str
    by: str
    at_ms: unit.Millis
    reason: str
    command_id: str


class Released(msgspec.Struct, frozen=True):
    """Who is dispatch's again."""

    device_ids: tuple[str, ...]
