"""What a miner does, computed from several signs: its rate over seconds, its uptime and what it was told.

A rate that is small but not zero may be a machine that runs up or down, or one whose firmware changed its unit. Only
after the same process has shown a rate near the expected one can they be told apart; until the grace after its start
is over, it is taken to run up.
"""

from enum import Enum

import msgspec

from agent.site.drivers.miners.sheet import Sheet
from shared.quality import Quality
from shared.states import OpState

LOWEST_RATIO = 0.02  # of measured to expected hash rate: below it a hashing machine reports another unit
HIGHEST_RATIO = 1.6
RAMPED_RATIO = 0.8


class Activity(Enum):
    HASHING = "hashing"
    STILL = "still"
    UNCLEAR = "unclear"


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What the device says besides its rate; None where it does not say.

    `asleep`: told to rest. `settled`: says itself that it has reached its target. `hot`, `faulty`: says that it
    stopped because of heat or of a fault.
    """

    asleep: bool | None = None
    settled: bool | None = None
    hot: bool = False
    faulty: bool = False


class UnitCheck:
    """Remembers whether the running mining process has ever shown a rate in the unit that we take it for."""

    def __init__(self, starting_grace_s: float) -> None:
        self._starting_grace_s = starting_grace_s
        self._proven = False
        self._uptime_s = 0.0

    def judge(self, sheet: Sheet) -> Activity:
        """Judge the rate of a sheet and mark it UNIT_SUSPECT where its magnitude makes no sense."""
        self._notice_restart(sheet.value("mining_uptime_s"))
        rate_ths, expected_ths = sheet.present("hashrate_ths"), sheet.value("hashrate_expected_ths")
        if rate_ths is None or rate_ths < 0:
            return Activity.UNCLEAR
        if rate_ths == 0:
            return Activity.STILL
        if not expected_ths:
            return Activity.HASHING if sheet.value("hashrate_ths") is not None else Activity.UNCLEAR
        ratio = rate_ths / expected_ths
        if LOWEST_RATIO < ratio < HIGHEST_RATIO:
            self._proven = True
            return Activity.HASHING
        if ratio <= LOWEST_RATIO and self._proven:
            return Activity.STILL
        if ratio <= LOWEST_RATIO and is_young(sheet, self._starting_grace_s):
            return Activity.UNCLEAR
        sheet.mark("hashrate_ths", Quality.UNIT_SUSPECT)
        return Activity.UNCLEAR

    def _notice_restart(self, uptime_s: float | None) -> None:
        if uptime_s is not None:
            self._proven = self._proven and uptime_s >= self._uptime_s
            self._uptime_s = uptime_s


def op_state(activity: Activity, sheet: Sheet, signs: Signs, starting_grace_s: float) -> OpState:
    """The rate decides before any flag; within the grace after its start a machine is starting, not at fault.

    One that was told to rest does not start: a rate that is left there is that of a machine on its way down.
    """
    starts = is_young(sheet, starting_grace_s) and not signs.asleep
    if activity is Activity.UNCLEAR:
        return OpState.STARTING if starts and sheet.value("hashrate_ths") is not None else OpState.UNKNOWN
    if activity is Activity.HASHING:
        return OpState.STARTING if starts and not _ramped(sheet, signs) else OpState.HASHING
    if signs.asleep:
        return OpState.SLEEPING
    if signs.hot:
        return OpState.STOPPED_THERMAL
    if signs.faulty:
        return OpState.STOPPED_FAULT
    if starts:
        return OpState.STARTING
    return OpState.UNKNOWN if signs.asleep is None else OpState.STOPPED_FAULT


def is_young(sheet: Sheet, starting_grace_s: float) -> bool:
    """Did the mining process start a moment ago?"""
    uptime_s = sheet.value("mining_uptime_s")
    return uptime_s is not None and uptime_s < starting_grace_s


def _ramped(sheet: Sheet, signs: Signs) -> bool:
    if signs.settled is not None:
        return signs.settled
    rate_ths, expected_ths = sheet.value("hashrate_ths"), sheet.value("hashrate_expected_ths")
    return rate_ths is not None and expected_ths is not None and rate_ths >= RAMPED_RATIO * expected_ths
