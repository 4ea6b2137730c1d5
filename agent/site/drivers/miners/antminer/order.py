"""Orders to an Antminer. Each change of the configuration reads all of it, changes one thing and keeps the old one."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from agent.site.devices.ports import Acknowledgement
from agent.site.drivers.miners.antminer.conf import (
    has_pools,
    reads_text,
    require_complete,
    require_open_passwords,
    stored_mode,
    with_mode,
    with_pools,
)
from agent.site.drivers.miners.antminer.decode import pool_urls
from agent.site.drivers.miners.antminer.process import MiningProcess
from agent.site.drivers.miners.antminer.web import AntminerWeb
from agent.site.drivers.miners.lesson import Lessons
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.reply import Row, evidence
from shared.actions import Action, Locate, Pool, Reboot, SetPools, SetPowerMode, Sleep, Wake
from shared.errors import AuthFailed, DeviceError, IncompleteRead, Rejected, StorageError, Unsupported

_SETTLES_WITHIN_S = 2.0  # some builds answer before they have stored
_AS_TEXT, _AS_NUMBER = "mode as text", "mode as number"


class AntminerOrders:
    """Each write restarts the mining process, so an order is one write. A second one is made only where the mode was
    not stored, and what it teaches is kept in `lessons` for every machine of the build.
    """

    def __init__(
        self, web: AntminerWeb, process: MiningProcess, profile: MinerProfile, lessons: Lessons, mac: str
    ) -> None:
        self._web = web
        self._process = process
        self._profile = profile
        self._lessons = lessons
        self._mac = mac
        self._mode_before_sleep: int | None = None

    async def carry_out(self, action: Action, build: str, keys: Sequence[str]) -> Acknowledgement:
        """`build` is the firmware's version text, `keys` name the work mode in a write to it.

        `Unsupported`, `Rejected` and `IncompleteRead` mean that nothing changed.
        """
        match action:
            case Sleep():
                return await self._sleep(build, keys)
            case Wake():
                return await self._wake(build, keys)
            case SetPowerMode(mode=mode) if mode in self._profile.mode and mode != "sleep":
                return await self._set_power_mode(mode, build, keys)
            case SetPools(pools=pools):
                return await self._set_pools(pools, build, keys)
            case Reboot():
                return Acknowledgement(await self._web.write("reboot", {}))
            case Locate(on=on):
                return Acknowledgement(await self._web.write("blink", {"blink": "true" if on else "false"}))
        raise Unsupported(f"Bitmain's firmware cannot carry out {action.verb}")

    async def _sleep(self, build: str, keys: Sequence[str]) -> Acknowledgement:
        raw, document = await self._whole_configuration()
        before, sleep = stored_mode(document), self._profile.mode["sleep"]
        if before is not None and before != sleep:
            await self._remember_mode(before)
        return await self._set_mode(raw, document, sleep, build, keys)

    async def _wake(self, build: str, keys: Sequence[str]) -> Acknowledgement:
        """Back to the mode from before the sleep, as far as we have seen it."""
        raw, document = await self._whole_configuration()
        before, sleep = stored_mode(document), self._profile.mode["sleep"]
        if before not in (None, sleep):
            return Acknowledgement("the stored mode is not sleep", (evidence("get_miner_conf", raw),))
        remembered = self._remembered_mode()
        mode = self._profile.mode["normal"] if remembered is None else remembered
        return await self._set_mode(raw, document, mode, build, keys)

    async def _remember_mode(self, mode: int) -> None:
        """Also for the next life of this agent. A disk that fails costs that only."""
        if self._mac and mode != self._remembered_mode():
            with suppress(StorageError):
                await self._lessons.learn(self._before_sleep, str(mode))
        self._mode_before_sleep = mode

    def _remembered_mode(self) -> int | None:
        if self._mode_before_sleep is None:
            taught = self._lessons.taught(self._before_sleep) if self._mac else None
            modes = {str(mode): mode for mode in self._profile.mode.values()}
            self._mode_before_sleep = None if taught is None else modes.get(taught)
        return self._mode_before_sleep

    @property
    def _before_sleep(self) -> str:
        return f"{self._profile.family} {self._mac}: mode before sleep"

    async def _set_power_mode(self, name: str, build: str, keys: Sequence[str]) -> Acknowledgement:
        raw, document = await self._whole_configuration()
        if stored_mode(document) == self._profile.mode["sleep"]:
            raise Rejected(
                "it sleeps, and this firmware stores one mode only: a power mode would wake it; wake it first"
            )
        return await self._set_mode(raw, document, self._profile.mode[name], build, keys)

    async def _set_mode(self, raw: bytes, document: Row, mode: int, build: str, keys: Sequence[str]) -> Acknowledgement:
        """Write the mode as this build is known to take it; where it is not stored, once as the other type."""
        replaced = (evidence("get_miner_conf", raw),)
        if stored_mode(document) == mode:
            return Acknowledgement("the stored mode is this already", replaced)
        as_text = self._writes_text(build, document)
        said = await self._replace(with_mode(document, keys, mode, as_text=as_text))
        if await self._stored(mode) is False:
            again = await self._replace_quietly(with_mode(document, keys, mode, as_text=not as_text))
            said = f"{said}; not stored, so once more as a {'number' if as_text else 'text'}: {again}"
            if await self._stored(mode):
                with suppress(StorageError):  # a full disk costs another second write, not the order
                    await self._lessons.learn(self._subject(build), _AS_NUMBER if as_text else _AS_TEXT)
        return Acknowledgement(said, replaced)

    def _writes_text(self, build: str, document: Row) -> bool:
        taught = self._lessons.taught(self._subject(build))
        return reads_text(document) if taught is None else taught == _AS_TEXT

    def _subject(self, build: str) -> str:
        return f"{self._profile.family} {build}"

    async def _set_pools(self, pools: tuple[Pool, ...], build: str, keys: Sequence[str]) -> Acknowledgement:
        """The mode goes along under all its names: a build that obeys none of those that it shows would fall back."""
        if not 1 <= len(pools) <= 3:
            raise Rejected(f"an Antminer takes one to three pools, not {len(pools)}")
        raw, document = await self._whole_configuration()
        replaced = (evidence("get_miner_conf", raw),)
        wanted = with_pools(document, pools)
        if wanted == document:
            return Acknowledgement("the stored pools are these already", replaced)
        mode = stored_mode(document)
        if mode is not None:
            wanted = with_mode(wanted, keys, mode, as_text=self._writes_text(build, document))
        return Acknowledgement(await self._replace(wanted), replaced)

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
        require_open_passwords(document)
        self._process.told(None)
        return await self._web.write("set_miner_conf", document)

    async def _replace_quietly(self, document: Row) -> str:
        """The second try: after an acknowledgement its failure is no longer a refusal."""
        try:
            return await self._replace(document)
        except DeviceError as error:
            return str(error)

    async def _stored(self, mode: int) -> bool | None:
        """Has the device stored it, perhaps after a moment? None where a failed read does not say."""
        for wait_s in (0.0, _SETTLES_WITHIN_S):
            await asyncio.sleep(wait_s)
            try:
                _, document = await self._web.configuration()
                require_complete(document)
            except DeviceError:
                return None
            if stored_mode(document) == mode:
                return True
        return False
