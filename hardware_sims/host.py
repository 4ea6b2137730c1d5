"""A simulated device on the network: its server listens while the device can answer, at the address it has now."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from hardware_sims.faults import Fault, FaultState
from shared.log import get_logger

UNPRIVILEGED_OFFSET = 10_000
_PRIVILEGED_BELOW = 1_024
_log = get_logger("sims.host")


class Server(Protocol):
    async def start(self, host: str, port_of: Callable[[int], int]) -> None: ...
    async def stop(self) -> None: ...
    @property
    def ports(self) -> Mapping[int, int]: ...


def port_plan(address: str) -> Callable[[int], int]:
    """Standard ports where this process may bind them at `address`, else those below 1024 plus 10000."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, 80))
    except PermissionError:
        return lambda port: port + UNPRIVILEGED_OFFSET if port < _PRIVILEGED_BELOW else port
    except OSError:
        return lambda port: port  # taken: the server itself says so, with the address
    return lambda port: port


class DeviceHost:
    """Brings the server up, down and to another address as the device and its faults demand.

    `answering` says whether the device could answer; all of `faults` must be DEAD before the listener closes (a gateway
    outlives its units). Faults of the first one decide about MOVED.
    """

    def __init__(
        self,
        server: Server,
        address: str,
        faults: tuple[FaultState, ...],
        *,
        port_of: Callable[[int], int],
        answering: Callable[[], bool],
        moved: Callable[[str], None] | None = None,
    ) -> None:
        self._server = server
        self._home = address
        self._faults = faults
        self._port_of = port_of
        self._answering = answering
        self._moved = moved
        self._listening_at: str | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def address(self) -> str:
        """Where the device is by now, listening or not."""
        fault = self._faults[0]
        elsewhere = fault.detail(Fault.MOVED).address if fault.active(Fault.MOVED) else None
        return elsewhere or self._home

    async def open(self) -> None:
        """Listen if the device can answer, and follow its faults from now on."""
        await self.settle()
        for fault in self._faults:
            fault.watch(self.settle_soon)

    async def close(self) -> None:
        self._closed = True
        await self.settle()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settle_soon(self) -> None:
        """Something changed: bring the server in line without making the caller wait."""
        task = asyncio.get_running_loop().create_task(self._settle_logged())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Bring the server in line with what the device can do now."""
        async with self._lock:
            wanted = self.address if self._wanted() else None
            restarted = any(fault.cut for fault in self._faults)
            if wanted == self._listening_at and not (restarted and wanted):
                return
            if self._listening_at is not None:
                await self._server.stop()
                self._listening_at = None
            if wanted is not None:
                for fault in self._faults:
                    fault.cut = False
                if self._moved is not None:
                    self._moved(wanted)
                await self._server.start(wanted, self._port_of)
                self._listening_at = wanted

    def _wanted(self) -> bool:
        dead = all(fault.active(Fault.DEAD) for fault in self._faults)
        return not self._closed and not dead and self._answering()

    async def _settle_logged(self) -> None:
        try:
            await self.settle()
        except Exception:
            _log.exception("device_cannot_listen", address=self.address)
