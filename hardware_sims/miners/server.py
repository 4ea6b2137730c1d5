"""What the servers of all families have in common for those who run them."""

from collections.abc import Callable, Mapping
from typing import Protocol

from hardware_sims.faults import FaultState
from hardware_sims.miners.machine import Machine


class MinerServer(Protocol):
    def __init__(self, machine: Machine, faults: FaultState) -> None: ...

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        """Listen on `host`, on `port_of(standard port)`. AddressTaken where that fails; then nothing listens."""
        ...

    async def stop(self) -> None:
        """Close the listeners and drop all connections. Stopping twice does nothing."""
        ...

    @property
    def ports(self) -> Mapping[int, int]:
        """Where each standard port is bound."""
        ...
