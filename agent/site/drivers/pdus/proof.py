"""Has an outlet really been switched? Watts prove it; the state of the relay may only repeat the order."""

from typing import Final

from agent.site.devices.ports import Effect, ReadBack
from agent.site.devices.reading import Evidence, OutletReading, usable
from shared.profiles.command import Readback

FIELDS: Final[dict[str, str]] = {
    "outlet.power": "power_w",
    "outlet.current": "current_a",
    "outlet.voltage": "voltage_v",
    "outlet.energy": "energy_wh",
}
"""Point of a profile → field of an `OutletReading`."""


def judge(
    proof: Readback, *, on: bool, now: OutletReading, before: OutletReading | None, evidence: tuple[Evidence, ...]
) -> ReadBack:
    """SHOWN only by the proving point. An outlet that is on and draws nothing may be empty, and so may one that is off
    and drew nothing before: UNSEEN.
    """
    word = "on" if on else "off"
    unit = proof.point.split(".")[-1]
    field = FIELDS[proof.point]
    value = usable(now, field)
    low, high = proof.expect[word]
    seen = f"outlet {now.outlet} says {_state(now.on)}, {_amount(value, field)}"
    if before is not None:
        seen += f", {_amount(usable(before, field), field)} before"
    if now.on is not None and now.on != on:
        return ReadBack(Effect.NOT_SHOWN, seen, evidence)
    if value is None:
        return ReadBack(Effect.UNSEEN, f"{seen}; without {unit} nothing is proven", evidence)
    if low <= value <= high:
        if not on and not _drew(before, field, high):
            return ReadBack(Effect.UNSEEN, f"{seen}; nothing drew before that could have stopped", evidence)
        return ReadBack(Effect.SHOWN, seen, evidence)
    if on:
        return ReadBack(Effect.UNSEEN, f"{seen}; nothing plugged in, or not started yet", evidence)
    return ReadBack(Effect.NOT_SHOWN, f"{seen}; the relay is stuck", evidence)


def _drew(before: OutletReading | None, field: str, idle: float) -> bool:
    """More than an empty outlet does, before the order?"""
    drawn = None if before is None else usable(before, field)
    return drawn is not None and drawn > idle


def _state(on: bool | None) -> str:
    return "nothing" if on is None else "on" if on else "off"


def _amount(value: float | None, field: str) -> str:
    unit = field.rsplit("_", 1)[1].capitalize()
    return f"{unit} unknown" if value is None else f"{value:.0f} {unit}" if unit == "W" else f"{value:.2f} {unit}"
