"""The server of one simulated Whatsminer."""

from collections.abc import Callable

from hardware_sims.faults import FaultState
from hardware_sims.miners.cgminer import STANDARD_PORT, CgminerSocket
from hardware_sims.miners.machine import Machine
from hardware_sims.miners.whatsminer.dialect import WhatsminerDialect
from hardware_sims.miners.whatsminer.firmware import Firmware

MAX_CLIENTS = 16


class WhatsminerServer:
    """Serves API v2 on 4028. The serial draws the build unless `firmware` names one.

    Writes need `api_enabled`, the vendor's switch, and a password other than the vendor's default.
    """

    def __init__(
        self,
        machine: Machine,
        faults: FaultState,
        *,
        firmware: Firmware | None = None,
        api_enabled: bool = True,
    ) -> None:
        build = firmware or Firmware.drawn(machine.serial)
        dialect = WhatsminerDialect(machine, build, api_enabled=api_enabled)
        self._socket = CgminerSocket(dialect, faults, max_clients=MAX_CLIENTS)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        """Listen on `host`. AddressTaken where the port is in use or may not be bound."""
        await self._socket.start(host, port_of(STANDARD_PORT))

    async def stop(self) -> None:
        await self._socket.stop()

    @property
    def ports(self) -> dict[int, int]:
        """Where each standard port is bound."""
        return {STANDARD_PORT: self._socket.port}
