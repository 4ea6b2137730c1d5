"""The cells of the truth matrix: what is ordered of which device under which fault, and when that order was obeyed."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shared.actions import (
    Action,
    Locate,
    Pool,
    Reboot,
    Restart,
    SetPools,
    SetPowerLimit,
    SetPowerMode,
    Sleep,
    SwitchOutlet,
    Wake,
)

Truth = Mapping[str, Any]

POLL = "poll"
"""Stands for a verb where nothing is ordered: does the agent take a device for alive that is not?"""
NONE = "none"
DEAD_AFTER = "dead_after"  # obeys, then is gone before it can be read back
TAKEN = "taken"  # has moved away, and another miner answers at its address
UNPLUGGED = "unplugged"
FROZEN_AND_IGNORES = "frozen_and_ignores"
DEVICE_FAULTS = (
    NONE,
    "dead",
    "silent",
    "slow",
    "truncated",
    "garbage",
    "endless",
    "http500",
    "wrong_unit",
    "frozen",
    "reboot_mid_command",
    "accepts_and_ignores",
    FROZEN_AND_IGNORES,
)
MINER_FAULTS = (*DEVICE_FAULTS, "moved", TAKEN, DEAD_AFTER)
_NEED_AN_ORDER = ("reboot_mid_command", "accepts_and_ignores", FROZEN_AND_IGNORES, DEAD_AFTER)
POLL_FAULTS = tuple(fault for fault in (*MINER_FAULTS, UNPLUGGED) if fault not in _NEED_AN_ORDER)
PDU_FAULTS = (*DEVICE_FAULTS, "stuck_relay", DEAD_AFTER)
QUICK_FAULTS = frozenset({NONE, "dead", "garbage", "accepts_and_ignores", FROZEN_AND_IGNORES, TAKEN, "stuck_relay"})
FAULT_DETAIL: Mapping[str, Mapping[str, object]] = {"slow": {"delay_s": 1.0}}

LIMIT_W = 2_600
POOLS = (
    Pool("stratum+tcp://north.example:3333", "bench.one", "x"),
    Pool("stratum+tcp://south.example:3333", "bench.two", "x"),
)
ACTIONS: Mapping[str, Action] = {
    "sleep": Sleep(),
    "wake": Wake(),
    "set_power_limit": SetPowerLimit(LIMIT_W),
    "set_power_mode": SetPowerMode("low"),
    "set_pools": SetPools(POOLS),
    "restart": Restart(),
    "reboot": Reboot(),
    "locate": Locate(on=True),
}
_BOTH = ("sleep", "wake", "set_power_mode", "set_pools", "reboot", "locate")
MINER_VERBS: Mapping[str, tuple[str, ...]] = {
    "antminer-stock": _BOTH,
    "whatsminer-v2": (*_BOTH, "set_power_limit", "restart"),
    "axeos": ("set_pools", "restart", "reboot"),
}
PDU_PROFILES = ("raritan.xerus", "shelly.gen2")
SWITCH_OFF = "switch_off"
WITNESSED_VERBS = frozenset({"sleep", "wake"})
_RUNS = frozenset({"tuning", "hashing"})


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """`device_id` is ordered about; `miner_id` is the machine whose truth counts: itself, or what an outlet feeds.
    `intruder_id` takes its address where the fault is TAKEN.
    """

    family: str
    verb: str
    fault: str
    device_id: str
    miner_id: str
    address: str
    outlet: int = 0
    intruder_id: str = ""

    @property
    def action(self) -> Action | None:
        if self.verb == SWITCH_OFF:
            return SwitchOutlet(self.outlet, on=False)
        return ACTIONS.get(self.verb)

    @property
    def name(self) -> str:
        return f"{self.family} {self.verb} {self.fault}"


def wanted(*, quick: bool) -> Iterator[tuple[str, str, str]]:
    """(family, verb, fault) of every cell."""
    for family, verbs in MINER_VERBS.items():
        for verb, faults in (*((verb, MINER_FAULTS) for verb in verbs), (POLL, POLL_FAULTS)):
            yield from ((family, verb, fault) for fault in faults if not quick or fault in QUICK_FAULTS)
    for profile in PDU_PROFILES:
        yield from ((profile, SWITCH_OFF, fault) for fault in PDU_FAULTS if not quick or fault in QUICK_FAULTS)


def obeyed(cell: Cell, before: Truth, after: Truth) -> bool:
    """Is the machine as it was ordered to be, by its own physics and memory?"""
    match cell.verb:
        case "sleep":
            return bool(after["state"] == "sleeping")
        case "wake":
            return after["state"] in _RUNS
        case "set_power_limit":
            return bool(after["power_limit_w"] == LIMIT_W)
        case "set_power_mode":
            return bool(after["power_mode"] == "low")
        case "set_pools":
            return [(_bare(pool["url"]), pool["user"]) for pool in after["pools"]] == [
                (_bare(pool.url), pool.user) for pool in POOLS
            ]
        case "switch_off":
            return bool(after["state"] == "off")
    return executed(before, after)


def executed(before: Truth, after: Truth) -> bool:
    """Has the machine carried out any order in between?"""
    return bool(before["executed"] != after["executed"])


def alive(after: Truth) -> bool:
    return after["state"] in _RUNS


def lost_settings(cell: Cell, before: Truth, after: Truth) -> list[str]:
    """Settings that changed without having been ordered."""
    ordered = {
        "pools": "set_pools",
        "power_mode": "set_power_mode",
        "power_limit_w": "set_power_limit",
    }
    return [
        name for name, verb in ordered.items() if after[name] != before[name] and not _as_ordered(cell, verb, after)
    ]


def _bare(url: str) -> str:
    """Host and port: AxeOS keeps no scheme."""
    return url.rpartition("//")[2]


def _as_ordered(cell: Cell, verb: str, after: Truth) -> bool:
    return cell.verb == verb and obeyed(cell, after, after)
