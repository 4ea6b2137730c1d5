"""The two servers of one simulated Antminer."""

from collections.abc import Callable

from hardware_sims.faults import FaultState
from hardware_sims.http import HttpServer
from hardware_sims.miners import cgminer
from hardware_sims.miners.antminer.dialect import AntminerDialect
from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.antminer.web import AntminerWeb
from hardware_sims.miners.machine import Machine

WEB_PORT = 80


class AntminerServer:
    """Serves cgminer's socket on 4028 and the CGI on 80. The serial draws the build unless `firmware` names one."""

    def __init__(self, machine: Machine, faults: FaultState, *, firmware: Firmware | None = None) -> None:
        build = firmware or Firmware.drawn(machine.model, machine.serial)
        self._socket = cgminer.CgminerSocket(AntminerDialect(machine, build), faults)
        self._web = HttpServer(AntminerWeb(machine, build).handle, faults)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        """Listen on `host`. AddressTaken where a port is in use or may not be bound; then none of the two listens."""
        await self._socket.start(host, port_of(cgminer.STANDARD_PORT))
        try:
            await self._web.start(host, port_of(WEB_PORT))
        except BaseException:
            await self._socket.stop()
            raise

    async def stop(self) -> None:
        await self._socket.stop()
        await self._web.stop()

    @property
    def ports(self) -> dict[int, int]:
        """Where each standard port is bound."""
        return {cgminer.STANDARD_PORT: self._socket.port, WEB_PORT: self._web.port}
