"""Makes sure that what is written to is the machine that was meant: the MAC is its identity, not its address."""

from shared.errors import IdentityChanged, IncompleteRead
from shared.site import normal_mac


class Identity:
    """Knows one MAC: the one it is given, else the first that it meets."""

    def __init__(self, place: str, mac: str) -> None:
        self._place = place
        self.mac = normal_mac(mac)

    def meet(self, mac: str) -> None:
        """`IdentityChanged` where another device answers, `IncompleteRead` where it does not say who it is."""
        if not mac:
            raise IncompleteRead(f"{self._place}: the device does not tell its MAC, so nothing was written")
        if self.mac and mac != self.mac:
            raise IdentityChanged(f"{self._place} answers as {mac}, not as {self.mac}; find the miner's new address")
        self.mac = mac
