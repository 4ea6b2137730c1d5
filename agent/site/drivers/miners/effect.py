"""What a read-back compares with, and the words in which it answers."""

import msgspec

from agent.site.devices.ports import Effect, ReadBack
from agent.site.devices.reading import MinerReading

_CLOCK_SLACK_S = 5.0


class Before(msgspec.Struct, frozen=True):
    """The miner just before an order; `at_s` is monotonic."""

    at_s: float
    reading: MinerReading


def shown(observed: str, reading: MinerReading) -> ReadBack:
    return _read(Effect.SHOWN, observed, reading)


def not_shown(observed: str, reading: MinerReading) -> ReadBack:
    return _read(Effect.NOT_SHOWN, observed, reading)


def unseen(observed: str, *, stored: bool = False) -> ReadBack:
    return ReadBack(Effect.UNSEEN, observed, stored=stored)


def judged(done: bool, observed: str, reading: MinerReading) -> ReadBack:
    return (shown if done else not_shown)(observed, reading)


def process_restarted(before: object, reading: MinerReading, now_s: float) -> bool | None:
    """Has the mining process started since `before`? None where the uptimes do not tell."""
    if not isinstance(before, Before):
        return None
    return _went_back(before.reading.mining_uptime_s, reading.mining_uptime_s, now_s - before.at_s)


def system_restarted(before: object, reading: MinerReading, now_s: float) -> bool | None:
    """Has the control board started since `before`? None where the uptimes do not tell."""
    if not isinstance(before, Before):
        return None
    return _went_back(before.reading.uptime_s, reading.uptime_s, now_s - before.at_s)


def _read(effect: Effect, observed: str, reading: MinerReading) -> ReadBack:
    """A reading without a single value carries evidence only."""
    return ReadBack(effect, observed, reading.evidence, reading if reading.quality else None)


def _went_back(then_s: int | None, now_s: int | None, passed_s: float) -> bool | None:
    """Younger than it would be, and than it was or than the time since. One that stands still is an old answer, which
    tells nothing.
    """
    if then_s is None or now_s is None or (now_s == then_s and passed_s > _CLOCK_SLACK_S):
        return None
    too_young = now_s < then_s + passed_s - _CLOCK_SLACK_S
    return too_young and (now_s < then_s or now_s <= passed_s + _CLOCK_SLACK_S)
