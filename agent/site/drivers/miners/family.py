"""The families that we drive, by the id that profiles and records carry."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol

from agent.site.devices.ports import Miner
from agent.site.drivers.miners.antminer import AntminerStock
from agent.site.drivers.miners.axeos import AxeOs
from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.lesson import Lessons, Unwritten
from agent.site.drivers.miners.link import Ports
from agent.site.drivers.miners.profile import MinerProfile
from agent.site.drivers.miners.whatsminer import WhatsminerV2


class Constructor(Protocol):
    """`mac` is the machine that is meant; without it the first one that answers is."""

    def __call__(
        self, address: str, ports: Ports, credentials: Credentials | None, profile: MinerProfile, mac: str = ""
    ) -> Miner: ...


def families(lessons: Lessons) -> Mapping[str, Constructor]:
    """With drivers that keep in `lessons` what only a write could tell them."""
    return MappingProxyType(
        {
            AntminerStock.family: partial(AntminerStock, lessons=lessons),
            WhatsminerV2.family: WhatsminerV2,
            AxeOs.family: AxeOs,
        }
    )


FAMILIES = families(Unwritten())
