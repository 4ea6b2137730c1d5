"""What a miner can be told to do: its idle mode, where it has one, and the points of its power curve.

Modes stand in ascending watts, the idle mode first. A miner that can only sleep and wake has its top point as the one
running mode, so that a limit is never planned on less than it may draw. One that can neither sleep nor take a limit is
idled through its outlet where a PDU that can switch feeds it; otherwise it has one mode or none and is never ordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from controller.mining.fleet.array import Codes, Floats, Ints
from shared.actions import SetPowerLimit, Sleep, Wake
from shared.wire.event import DeviceRecord


class Idle(IntEnum):
    """How a miner is brought to its first mode."""

    NONE = 0  # it cannot be idled: its first mode is its lowest running point
    SLEEP = 1
    OUTLET = 2


@dataclass(frozen=True, eq=False)
class Ladders:
    """[M, n]: mode by miner, padded with each one's last mode; `modes` counts the real ones, 0 where no curve is known.

    Modes come first, because a solver looks at one mode of all miners at a time. `limits` tells which miners take a
    power limit.
    """

    power_w: Ints
    hashrate_ths: Floats
    modes: Ints
    idle: Codes
    limits: Codes

    def take(self, rows: Ints) -> "Ladders":
        return Ladders(
            power_w=self.power_w[:, rows],
            hashrate_ths=self.hashrate_ths[:, rows],
            modes=self.modes[rows],
            idle=self.idle[rows],
            limits=self.limits[rows],
        )

    @property
    def top_w(self) -> Ints:
        """The draw of the highest mode; 0 where no curve is known."""
        return np.asarray(self.power_w[-1], np.int64)


Point = tuple[int, float]


def modes_of(record: DeviceRecord, *, switchable: bool) -> tuple[tuple[Point, ...], Idle]:
    """The modes of one miner, watts to TH/s, and how it idles. `switchable`: its outlet can be switched."""
    best: dict[int, float] = {}
    for power_w, hashrate_ths in record.curve:
        best[power_w] = max(hashrate_ths, best.get(power_w, 0.0))
    running = sorted(best.items())
    if not running:
        return (), Idle.NONE
    if SetPowerLimit.verb not in record.verbs:
        running = running[-1:]
    idle = Idle.NONE
    if Sleep.verb in record.verbs and Wake.verb in record.verbs:
        idle = Idle.SLEEP
    elif switchable:
        idle = Idle.OUTLET
    if idle is Idle.NONE:
        return tuple(running), idle
    idle_w = record.sleep_w if idle is Idle.SLEEP else 0
    return ((idle_w, 0.0), *(point for point in running if point[0] > idle_w)), idle


def ladders_of(records: Sequence[DeviceRecord], switchable: Sequence[bool]) -> Ladders:
    """Arrays of all miners' modes, in the order of `records`."""
    known: dict[tuple[object, ...], tuple[tuple[Point, ...], Idle]] = {}
    found = []
    for record, can in zip(records, switchable, strict=True):
        key = (record.curve, record.verbs, record.sleep_w, can)
        if key not in known:
            known[key] = modes_of(record, switchable=can)
        found.append(known[key])
    width = max((len(modes) for modes, _ in found), default=0) or 1
    blank = ((0, 0.0),)
    table = [modes + (modes or blank)[-1:] * (width - len(modes)) for modes, _ in found]
    both = np.array(table, np.float64).reshape(len(found), width, 2).transpose(2, 1, 0)
    return Ladders(
        power_w=np.ascontiguousarray(both[0].astype(np.int64)),
        hashrate_ths=np.ascontiguousarray(both[1]),
        modes=np.array([len(modes) for modes, _ in found], np.int64),
        idle=np.array([idle for _, idle in found], np.int8),
        limits=np.array([SetPowerLimit.verb in record.verbs for record in records], np.int8),
    )
