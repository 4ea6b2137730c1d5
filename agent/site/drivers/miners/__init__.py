"""Drivers of miners, one package for each protocol family.

Shared words first: `reply` and `field` read what devices send, `sheet` and `state` judge it, `profile` holds what
differs between firmwares, `effect` and `identity` keep orders honest. Then the families, `family`, which lists them,
and `identification`, which finds out which one answers.
"""

from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.family import FAMILIES, families
from agent.site.drivers.miners.identification import identify
from agent.site.drivers.miners.lesson import Lessons, Unwritten
from agent.site.drivers.miners.link import Ports, standard
from agent.site.drivers.miners.profile import MinerProfile, load_miner_profile, miner_profiles

__all__ = [
    "FAMILIES",
    "Credentials",
    "Lessons",
    "MinerProfile",
    "Ports",
    "Unwritten",
    "families",
    "identify",
    "load_miner_profile",
    "miner_profiles",
    "standard",
]
