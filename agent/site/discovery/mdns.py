"""Devices that announce themselves by mDNS: candidates, never identities, since anybody can announce anything."""

import asyncio
from collections.abc import Callable, Sequence

from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from shared.log import get_logger

SERVICES = ("_http._tcp.local.", "_shelly._tcp.local.", "_proto-rig._tcp.local.")
_RESOLVE_MS = 2_000

log = get_logger("agent.mdns")


class Announcements:
    """Calls `found(address)` for each address that is announced. One responder for the whole process."""

    def __init__(self, found: Callable[[str], None], interfaces: Sequence[str]) -> None:
        self._found = found
        self._interfaces = list(interfaces)
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a host without multicast is said once and does without."""
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
        except OSError as error:
            log.warning("mdns.unavailable", detail=str(error))
            return
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, list(SERVICES), handlers=[self._changed])

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_close()

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            return
        task = asyncio.ensure_future(self._resolve(zeroconf, service_type, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if await info.async_request(zeroconf, _RESOLVE_MS):
            for address in info.parsed_addresses():
                self._found(address)
