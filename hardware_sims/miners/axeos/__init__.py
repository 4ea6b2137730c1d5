"""BitAxe with AxeOS (ESP-Miner): JSON over HTTP on port 80, no login and no stop command."""

from hardware_sims.miners.axeos.server import AxeosServer

__all__ = ["AxeosServer"]
