"""Is the instrument at this address still the one that was met there? Another one gets nothing switched, and its
figures count for nothing.
"""

import asyncio

from shared.errors import IdentityChanged, IncompleteRead
from shared.site import Instrument, normal_mac

LOOK_EVERY_S = 60.0


class Nameplate:
    """MAC and serial that the site's file names, else those that were met first. What a protocol does not tell is not
    compared.
    """

    def __init__(self, place: str, *, mac: str = "", serial: str = "") -> None:
        self._place = place
        self._mac = normal_mac(mac)
        self._serial = serial
        self._looked_s = 0.0

    @property
    def due(self) -> bool:
        """Is there something to compare, and was it compared last more than `LOOK_EVERY_S` ago?"""
        return self.known and asyncio.get_running_loop().time() - self._looked_s >= LOOK_EVERY_S

    @property
    def known(self) -> bool:
        return bool(self._mac or self._serial)

    def meet(self, mac: str, serial: str) -> None:
        """`IdentityChanged` where another one answers, `IncompleteRead` where it does not say any more who it is."""
        for name, expected, told in (("MAC", self._mac, normal_mac(mac)), ("serial number", self._serial, serial)):
            if expected and not told:
                raise IncompleteRead(f"{self._place}: it does not tell its {name}, which was {expected}")
            if expected and told != expected:
                raise IdentityChanged(
                    f"{self._place}: another device answers here, {name} {told} instead of {expected}; if it was"
                    " exchanged on purpose, correct the site's file and restart the agent"
                )
        self._mac, self._serial = self._mac or normal_mac(mac), self._serial or serial
        self._looked_s = asyncio.get_running_loop().time()


def nameplate(instrument: Instrument) -> Nameplate:
    """As the site's file expects it."""
    return Nameplate(
        f"{instrument.id} at {instrument.address}", mac=instrument.mac or "", serial=instrument.serial or ""
    )
