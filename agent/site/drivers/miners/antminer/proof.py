"""Has an order to an Antminer had its effect? The stored configuration alone never proves it."""

import asyncio

from agent.site.devices.ports import ReadBack
from agent.site.devices.reading import MinerReading
from agent.site.drivers.miners.antminer.conf import same_pools, stored_mode
from agent.site.drivers.miners.antminer.decode import pool_urls
from agent.site.drivers.miners.antminer.process import MiningProcess, Observation, reading
from agent.site.drivers.miners.antminer.web import AntminerWeb
from agent.site.drivers.miners.effect import Before, judged, not_shown, process_restarted, shown, unseen
from agent.site.drivers.miners.field import flag
from agent.site.drivers.miners.pool import bare
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.state import Activity
from shared.actions import Action, Locate, Pool, Reboot, SetPools, SetPowerMode, Sleep, Wake
from shared.errors import DeviceError
from shared.states import OpState


class AntminerProof:
    def __init__(self, web: AntminerWeb, process: MiningProcess, profile: MinerProfile) -> None:
        self._web = web
        self._process = process
        self._profile = profile

    async def of(self, action: Action, before: object) -> ReadBack:
        """SHOWN only on independent evidence; a device that does not answer is UNSEEN."""
        try:
            match action:
                case Locate(on=on):
                    lit = flag(await self._web.read("get_blink_status"), "blink")
                    return unseen("no light state") if lit is None else judged(lit == on, f"light {lit}", _NOTHING)
                case SetPools(pools=pools):
                    return await self._pools(pools, before)
            return self._of_process(action, before, await self._process.observe(ask_mode=True))
        except DeviceError as error:
            return unseen(error.detail)

    def _of_process(self, action: Action, before: object, seen: Observation) -> ReadBack:
        now = reading(seen, self._profile)
        restarted = process_restarted(before, now, asyncio.get_running_loop().time())
        said = _words(now, restarted)
        match action:
            case Sleep():
                return self._asleep(before, seen, now, restarted)
            case Wake():
                return self._awake(seen, now, restarted)
            case SetPowerMode(mode=mode):
                had_it = isinstance(before, Before) and before.reading.power_mode == mode
                stored = seen.mode == self._profile.mode.get(mode)
                if seen.mode is None or (stored and not had_it and restarted is None):
                    return unseen(said)
                return judged(stored and (had_it or restarted is True), said, now)
            case Reboot():
                return unseen(said) if restarted is None else judged(restarted, said, now)
        return unseen(f"nothing to compare for {action.verb}")

    def _asleep(self, before: object, seen: Observation, now: MinerReading, restarted: bool | None) -> ReadBack:
        """Mode stored, and the rate is 0 in a process that had hashed or has restarted, or there is no process."""
        said = _words(now, restarted)
        if seen.mode is None:
            return unseen(said)
        if seen.mode != self._profile.mode["sleep"]:
            return not_shown(said, now)
        if seen.gone_s is not None:
            gone = f"mode sleep; no mining process for {seen.gone_s:.0f} s"
            return shown(gone, now) if seen.gone_s >= self._profile.process_restart_s else unseen(gone, stored=True)
        if seen.activity is Activity.UNCLEAR:
            return unseen(said, stored=True)
        was_asleep = not isinstance(before, Before) or before.reading.op_state is OpState.SLEEPING
        had_hashed = isinstance(before, Before) and bool(before.reading.hashrate_ths)
        still = seen.activity is Activity.STILL
        return judged(still and (was_asleep or had_hashed or restarted is True), said, now)

    def _awake(self, seen: Observation, now: MinerReading, restarted: bool | None) -> ReadBack:
        """Another mode than sleep stored, and a rate; a machine without a known rate may be on its way."""
        said = _words(now, restarted)
        if seen.mode == self._profile.mode["sleep"]:
            return not_shown(said, now)
        if seen.mode is None or seen.activity is Activity.UNCLEAR:
            return unseen(said)
        return judged(seen.activity is Activity.HASHING, said, now)

    async def _pools(self, pools: tuple[Pool, ...], before: object) -> ReadBack:
        """Stored, and used by the running process or by one that has started since."""
        document = await self._web.read("get_miner_conf")
        self._process.told(stored_mode(document))
        if not same_pools(document, pools):
            return not_shown("other pools are stored", _NOTHING)
        seen = await self._process.observe()
        now = reading(seen, self._profile)
        if process_restarted(before, now, asyncio.get_running_loop().time()):
            return shown("stored, and the mining process started since", now)
        used = pool_urls(await self._process.pools())
        as_ordered = [bare(url) for url in used] == [bare(pool.url) for pool in pools]
        return judged(as_ordered, f"stored; in use: {', '.join(used) or 'none'}", now)


_NOTHING = MinerReading()


def _words(now: MinerReading, restarted: bool | None) -> str:
    rate = "unknown" if now.hashrate_ths is None else f"{now.hashrate_ths:.1f} TH/s"
    since = {True: "restarted", False: "not restarted", None: "uptime unknown"}[restarted]
    return f"mode {now.power_mode or 'unknown'}, rate over 5 s {rate}, process {since}"
