"""Has an order to a Whatsminer had its effect? Judged by its flags, its watts and its uptimes together."""

import asyncio

from agent.site.devices.ports import ReadBack
from agent.site.devices.reading import MinerReading
from agent.site.drivers.miners.effect import (
    Before,
    judged,
    not_shown,
    process_restarted,
    shown,
    system_restarted,
    unseen,
)
from agent.site.drivers.miners.field import text
from agent.site.drivers.miners.pool import bare
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.state import Activity
from agent.site.drivers.miners.whatsminer.decode import message, pools
from agent.site.drivers.miners.whatsminer.machine import Observation, WhatsminerMachine, reading
from shared.actions import Action, Locate, Pool, Reboot, Restart, SetPools, SetPowerLimit, SetPowerMode, Sleep, Wake
from shared.errors import DeviceError

_OVER_LIMIT = 1.03  # a limit is met when the measured watts exceed it by no more than their own error
_REST_FACTOR = 10  # at rest: not more than that many times the draw of the control board


class WhatsminerProof:
    def __init__(self, machine: WhatsminerMachine, profile: MinerProfile) -> None:
        self._machine = machine
        self._profile = profile

    async def of(self, action: Action, before: object) -> ReadBack:
        """SHOWN only on independent evidence; a device that does not answer is UNSEEN."""
        try:
            match action:
                case Locate(on=on):
                    return await self._light(on)
                case SetPools(pools=wanted):
                    return await self._pools(wanted)
            seen = await self._machine.observe(ask_status=isinstance(action, Sleep | Wake))
        except DeviceError as error:
            return unseen(error.detail)
        return self._of_machine(action, before, seen)

    def _of_machine(self, action: Action, before: object, seen: Observation) -> ReadBack:
        now, now_s = reading(seen), asyncio.get_running_loop().time()
        match action:
            case Sleep():
                return self._asleep(seen, now)
            case Wake():
                return _awake(seen, now)
            case SetPowerLimit(limit_w=limit_w):
                return _limited(limit_w, before, now, now_s)
            case SetPowerMode(mode=mode):
                return _mode(mode, before, now, now_s)
            case Restart():
                restarted = process_restarted(before, now, now_s)
            case Reboot():
                restarted = system_restarted(before, now, now_s)
            case _:
                return unseen(f"nothing to compare for {action.verb}")
        said = f"mining process up {now.mining_uptime_s} s, system up {now.uptime_s} s"
        return unseen(said) if restarted is None else judged(restarted, said, now)

    def _asleep(self, seen: Observation, now: MinerReading) -> ReadBack:
        """Told to rest, and no hash over seconds or no watts; where neither is known, the flag alone is no proof."""
        said = _words(seen, now)
        if seen.off is None:
            return unseen(said)
        power_w = seen.sheet.value("power_w")
        draws = power_w is not None and power_w > _REST_FACTOR * self._profile.sleep_w
        if not seen.off or draws or seen.activity is Activity.HASHING:
            return not_shown(said, now)
        proven = seen.activity is Activity.STILL or power_w is not None
        return shown(said, now) if proven else unseen(said, stored=True)

    async def _pools(self, wanted: tuple[Pool, ...]) -> ReadBack:
        reply, sent = await self._machine.read("pools")
        found = pools(reply)
        said = "in use: " + (", ".join(url for url, _ in found) or "none")
        as_ordered = [(bare(url), user) for url, user in found] == [(bare(pool.url), pool.user) for pool in wanted]
        return judged(as_ordered, said, MinerReading(evidence=(sent,)))

    async def _light(self, on: bool) -> ReadBack:
        reply, sent = await self._machine.read("get_miner_info")
        state = text(message(reply), "ledstat")
        if not state:
            return unseen("the device does not tell the state of its light")
        return judged((state.lower() != "auto") == on, f"light {state}", MinerReading(evidence=(sent,)))


def _awake(seen: Observation, now: MinerReading) -> ReadBack:
    """Told to work, and a rate; a machine without a known rate may be on its way."""
    said = _words(seen, now)
    if seen.off:
        return not_shown(said, now)
    if seen.off is None or seen.activity is Activity.UNCLEAR:
        return unseen(said)
    return judged(seen.activity is Activity.HASHING, said, now)


def _limited(limit_w: int, before: object, now: MinerReading, now_s: float) -> ReadBack:
    """The limit that the device names, and watts below it; without watts, a process that has started since."""
    named_w, power_w = now.power_limit_w, now.power_w
    said = f"limit {_watts(named_w)}, draws {_watts(power_w)}"
    if named_w is None:
        return unseen(said)
    if round(named_w) != limit_w:
        return not_shown(said, now)
    if power_w is not None:
        return judged(power_w <= limit_w * _OVER_LIMIT, said, now)
    had_it = isinstance(before, Before) and before.reading.power_limit_w == named_w
    return shown(said, now) if had_it or process_restarted(before, now, now_s) else unseen(said)


def _mode(mode: str, before: object, now: MinerReading, now_s: float) -> ReadBack:
    restarted = process_restarted(before, now, now_s)
    had_it = isinstance(before, Before) and before.reading.power_mode == mode
    said = f"mode {now.power_mode or 'unknown'}, draws {_watts(now.power_w)}"
    if now.power_mode is None or (now.power_mode == mode and restarted is None and not had_it):
        return unseen(said)
    return judged(now.power_mode == mode and (had_it or restarted is True), said, now)


def _words(seen: Observation, now: MinerReading) -> str:
    told = {True: "off", False: "on", None: "nothing"}[seen.off]
    rate = "unknown" if now.hashrate_ths is None else f"{now.hashrate_ths:.1f} TH/s"
    return f"status says {told}, rate over seconds {rate}, draws {_watts(now.power_w)}"


def _watts(value: float | None) -> str:
    return "unknown watts" if value is None else f"{value:.0f} W"
