"""Bitmain Antminer with stock firmware since the S19: cgminer's socket on 4028, Digest-guarded CGI on 80."""

from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.antminer.server import AntminerServer

__all__ = ["AntminerServer", "Firmware"]
