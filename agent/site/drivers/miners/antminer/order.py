"""Orders to an Antminer. Each change of the configuration reads all of it, changes one thing and keeps the old one."""

import asyncio

from agent.site.devices.ports import Acknowledgement
from agent.site.drivers.miners.antminer.conf import (
    has_pools,
    require_complete,
    stored_mode,
    with_mode,
    with_pools,
)
from agent.site.drivers.miners.antminer.decode import pool_urls
from agent.site.drivers.miners.antminer.process import MiningProcess
from agent.site.drivers.miners.antminer.web import AntminerWeb
from agent.site.drivers.miners.profile import Firmware, MinerProfile
from agent.site.drivers.miners.reply import Row, evidence
from shared.actions import Action, Locate, Pool, Reboot, SetPools, SetPowerMode, Sleep, Wake
from shared.errors import AuthFailed, DeviceError, IncompleteRead, Rejected, Unsupported

_SETTLES_WITHIN_S = 2.0  # some builds answer before they have stored


class AntminerOrders:
    def __init__(self, web: AntminerWeb, process: MiningProcess, profile: MinerProfile) -> None:
        self._web = web
        self._process = process
        self._profile = profile
        self._mode_before_sleep: int | None = None
        self._other_key_first = False  # this machine did not store a mode under the profile's first key

    async def carry_out(self, action: Action, firmware: Firmware) -> Acknowledgement:
        """`Unsupported`, `Rejected` and `IncompleteRead` mean that nothing changed."""
        match action:
            case Sleep():
                return await self._sleep(firmware)
            case Wake():
                return await self._wake(firmware)
            case SetPowerMode(mode=mode) if mode in self._profile.mode and mode != "sleep":
                return await self._set_power_mode(mode, firmware)
            case SetPools(pools=pools):
                return await self._set_pools(pools)
            case Reboot():
                return Acknowledgement(await self._web.write("reboot", {}))
            case Locate(on=on):
                return Acknowledgement(await self._web.write("blink", {"blink": "true" if on else "false"}))
        raise Unsupported(f"Bitmain's firmware cannot carry out {action.verb}")

    async def _sleep(self, firmware: Firmware) -> Acknowledgement:
        raw, document = await self._whole_configuration()
        before, sleep = stored_mode(document), self._profile.mode["sleep"]
        if before != sleep:
            self._mode_before_sleep = before
        return await self._set_mode(raw, document, sleep, firmware)

    async def _wake(self, firmware: Firmware) -> Acknowledgement:
        """Back to the mode from before the sleep, as far as we have seen it."""
        raw, document = await self._whole_configuration()
        before, sleep = stored_mode(document), self._profile.mode["sleep"]
        if before not in (None, sleep):
            return Acknowledgement("the stored mode is not sleep", (evidence("get_miner_conf", raw),))
        mode = self._profile.mode["normal"] if self._mode_before_sleep is None else self._mode_before_sleep
        return await self._set_mode(raw, document, mode, firmware)

    async def _set_power_mode(self, name: str, firmware: Firmware) -> Acknowledgement:
        raw, document = await self._whole_configuration()
        if stored_mode(document) == self._profile.mode["sleep"]:
            raise Rejected(
                "it sleeps, and this firmware stores one mode only: a power mode would wake it; wake it first"
            )
        return await self._set_mode(raw, document, self._profile.mode[name], firmware)

    async def _set_mode(self, raw: bytes, document: Row, mode: int, firmware: Firmware) -> Acknowledgement:
        """Write the mode under the key of this firmware; where it is not stored, once under the other key, which is
        the first one to be tried from then on: each write restarts the mining process.
        """
        assert firmware.mode_key is not None
        first, second = firmware.mode_key, firmware.mode_key_other
        if second is not None and self._other_key_first:
            first, second = second, first
        replaced = (evidence("get_miner_conf", raw),)
        if stored_mode(document) == mode:
            return Acknowledgement("the stored mode is this already", replaced)
        said = await self._replace(with_mode(document, first, mode))
        if second is not None and await self._stored_otherwise(mode):
            self._other_key_first = not self._other_key_first
            again = await self._replace_quietly(with_mode(document, second, mode))
            said = f"{said}; not stored as {first}, then as {second}: {again}"
        return Acknowledgement(said, replaced)

    async def _set_pools(self, pools: tuple[Pool, ...]) -> Acknowledgement:
        if not 1 <= len(pools) <= 3:
            raise Rejected(f"an Antminer takes one to three pools, not {len(pools)}")
        raw, document = await self._whole_configuration()
        wanted = with_pools(document, pools)
        if wanted == document:
            return Acknowledgement("the stored pools are these already", (evidence("get_miner_conf", raw),))
        return Acknowledgement(await self._replace(wanted), (evidence("get_miner_conf", raw),))

    async def _whole_configuration(self) -> tuple[bytes, Row]:
        try:
            raw, document = await self._web.configuration()
        except AuthFailed:
            raise
        except DeviceError as error:
            raise IncompleteRead(f"the configuration could not be read, so nothing was written: {error}") from error
        require_complete(document)
        if not has_pools(document):
            await self._confirm_no_pools()
        return raw, document

    async def _confirm_no_pools(self) -> None:
        """An empty pool list may be a failed read: it counts only where the running process has no pool either."""
        try:
            mined_for = pool_urls(await self._process.pools())
        except DeviceError as error:
            raise IncompleteRead(
                f"the pool list was read empty and nothing confirms it, so nothing was written: {error}"
            ) from error
        if mined_for:
            raise IncompleteRead(f"the pool list was read empty while {mined_for[0]} is in use; nothing was written")

    async def _replace(self, document: Row) -> str:
        require_complete(document)
        self._process.told(None)
        return await self._web.write("set_miner_conf", document)

    async def _replace_quietly(self, document: Row) -> str:
        """The second try: after an acknowledgement its failure is no longer a refusal."""
        try:
            return await self._replace(document)
        except DeviceError as error:
            return str(error)

    async def _stored_otherwise(self, mode: int) -> bool:
        """Has the device surely not stored it, even after a moment? A failed read does not say so."""
        for wait_s in (0.0, _SETTLES_WITHIN_S):
            await asyncio.sleep(wait_s)
            try:
                _, document = await self._web.configuration()
                require_complete(document)
            except DeviceError:
                return False
            if stored_mode(document) == mode:
                return False
        return True
