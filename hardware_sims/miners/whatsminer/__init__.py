"""MicroBT Whatsminer with API v2 (firmware before about November 2024): plain reads and encrypted writes on 4028."""

from hardware_sims.miners.whatsminer.firmware import Firmware
from hardware_sims.miners.whatsminer.server import WhatsminerServer

__all__ = ["Firmware", "WhatsminerServer"]
