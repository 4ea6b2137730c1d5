"""The simulated miners' protocol servers, one a firmware family, each in front of a `Machine`.

A server is made with a machine and its `FaultState`, listens after `start(host, port_of)`, where `port_of` says which
port to bind in place of a standard one, and drops everything at `stop()`. While the machine is off or boots,
connections are dropped. Faults of meaning (wrong units, frozen values, orders that do nothing) are in the machine's
figures and orders already; the bytes of the replies pass through the faults of delivery. The serial number of the
machine draws its firmware build, where a server is not told one.
"""

from hardware_sims.miners.antminer import AntminerServer
from hardware_sims.miners.axeos import AxeosServer
from hardware_sims.miners.server import MinerServer
from hardware_sims.miners.whatsminer import WhatsminerServer

SERVERS: dict[str, type[MinerServer]] = {
    "antminer": AntminerServer,
    "whatsminer": WhatsminerServer,
    "axeos": AxeosServer,
}

__all__ = ["SERVERS", "AntminerServer", "AxeosServer", "MinerServer", "WhatsminerServer"]
