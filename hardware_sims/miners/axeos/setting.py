"""The settings of a BitAxe: what PATCH may change, with the checks of its firmware."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from hardware_sims.miners.axeos.board import BoardKind
from hardware_sims.miners.machine import Machine, Pool
from hardware_sims.miners.presence import carry_out

STRATUM_PORT = 3333
PREFIXES = ("stratum", "fallbackStratum")  # of the first and the second pool
MHZ_RANGE = range(50, 1_201)
CORE_MV_RANGE = range(500, 1_601)
PERCENT_RANGE = range(101)
PORT_RANGE = range(1, 65_536)
FLAG_RANGE = range(2)
_RANGES = {
    "frequency": MHZ_RANGE,
    "coreVoltage": CORE_MV_RANGE,
    "fanspeed": PERCENT_RANGE,
    "temptarget": range(35, 67),
    "autofanspeed": FLAG_RANGE,
    "overclockEnabled": FLAG_RANGE,
    "overheat_mode": range(1),  # only 0 may be written
    "stratumPort": PORT_RANGE,
    "fallbackStratumPort": PORT_RANGE,
}
_TEXTS = ("hostname", *(f"{prefix}{part}" for prefix in PREFIXES for part in ("URL", "User", "Password")))


class SettingRefused(Exception):
    """The value of the named setting has the wrong type or is out of range; nothing was stored."""


class Settings:
    """Frequency acts as a power limit of the machine; pools live there too; the rest is stored here."""

    def __init__(self, machine: Machine, kind: BoardKind) -> None:
        self._machine = machine
        self._kind = kind
        self._frequency_mhz = kind.frequency_mhz
        self._limit_w = machine.power_limit_w
        self.stored: dict[str, Any] = {
            "coreVoltage": kind.core_mv,
            "autofanspeed": 1,
            "fanspeed": 100,
            "temptarget": 60,
            "overclockEnabled": 0,
            "overheat_mode": 0,
        }

    @property
    def frequency_mhz(self) -> int:
        """The set one, as long as the machine keeps the limit that it stands for."""
        followed = self._machine.power_limit_w == self._limit_w
        return self._frequency_mhz if followed else self._kind.frequency_mhz

    def change(self, document: dict[str, Any]) -> None:
        """Store what is known, ignore the rest. SettingRefused before anything is stored."""
        for key, allowed in _RANGES.items():
            _check_number(document, key, allowed)
        for key in _TEXTS:
            if key in document and not isinstance(document[key], str):
                raise SettingRefused(key)
        self.stored.update({key: int(document[key]) for key in self.stored if key in document})
        if "hostname" in document:
            self._machine.hostname = document["hostname"]
        carry_out(self._machine, self._orders(document))

    def _orders(self, document: dict[str, Any]) -> list[Callable[[], None]]:
        orders = list[Callable[[], None]]()
        if "frequency" in document:
            orders.append(lambda: self._set_frequency(int(document["frequency"])))
        if any(key.startswith(PREFIXES) for key in document):
            pools = self._pools(document)
            orders.append(lambda: self._machine.set_pools(pools))
        return orders

    def _set_frequency(self, frequency_mhz: int) -> None:
        standard = frequency_mhz == self._kind.frequency_mhz
        limit_w = None if standard else round(self._machine.nameplate_w * frequency_mhz / self._kind.frequency_mhz)
        self._machine.set_power_limit(limit_w)
        self._frequency_mhz, self._limit_w = frequency_mhz, limit_w

    def _pools(self, document: dict[str, Any]) -> list[Pool]:
        """The present pools with the given fields replaced; host and port come apart."""
        pools = []
        for prefix, (old_host, old_port, old) in zip(PREFIXES, parts_of(self._machine.pools), strict=True):
            host = document.get(f"{prefix}URL", old_host)
            port = document.get(f"{prefix}Port", old_port)
            user = document.get(f"{prefix}User", old.user)
            password = document.get(f"{prefix}Password", old.password)
            pools.append(Pool(f"stratum+tcp://{host}:{port}" if host else "", user, password))
        return [pool for pool in pools if pool.url]


def parts_of(pools: list[Pool]) -> list[tuple[str, int, Pool]]:
    """Host, port and pool of the first two, blanks where there is none."""
    parts = []
    for pool in [*pools, Pool("", ""), Pool("", "")][:2]:
        url = urlsplit(pool.url if "://" in pool.url else f"//{pool.url}")
        parts.append((url.hostname or "", url.port or STRATUM_PORT, pool))
    return parts


def _check_number(document: dict[str, Any], key: str, allowed: range) -> None:
    value = document.get(key, allowed.start)
    if not isinstance(value, int) or int(value) not in allowed:
        raise SettingRefused(key)
