"""What dispatch needs of the rest of the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from controller.mining.fleet.snapshot import SiteSnapshot
from shared.actions import AnyAction

if TYPE_CHECKING:
    from controller.mining.dispatch.service import Cycle

OrderLine = tuple[str, AnyAction, int | None]
"""A device, what it shall do, and the OpState in which it was seen (None: it does not matter)."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What energy costs and hashing earns now.

    The energy price holds from `energy_from_ms` until before `energy_until_ms`; `hashprice_at_ms` is when the
    hashprice was known. `synthetic` marks an invented price, which may drive a demonstration and nothing else.
    """

    energy_usd_mwh: float
    energy_from_ms: int
    energy_until_ms: int
    hashprice_usd_phs_day: float
    hashprice_at_ms: int
    source: str
    synthetic: bool = False

    def current(self, now_ms: int) -> bool:
        return self.energy_from_ms <= now_ms < self.energy_until_ms


class Prices(Protocol):
    def current(self, now_ms: int) -> Quote:
        """The price that holds now, or the last one that did. GatewayUnavailable where there is none at all."""
        ...


class TwinView(Protocol):
    @property
    def sites(self) -> tuple[str, ...]:
        """Those that a node has described."""
        ...

    def snapshot(self, site: str) -> SiteSnapshot: ...


class Caps(Protocol):
    def caps_w(self, site: str, now_ms: int) -> Mapping[str, int]:
        """Feeder to the watts that a running curtailment leaves it; empty where none runs."""
        ...


class Orders(Protocol):
    """The power door."""

    async def issue(
        self, site: str, orders: Sequence[OrderLine], *, reason: str, actor: str, expires_in_s: float
    ) -> str:
        """Hand orders over; the id under which their outcomes come back. Denied where a rule refuses them whole."""
        ...


class Decisions(Protocol):
    def record(self, cycle: "Cycle") -> None:
        """Keep a cycle with its certificate and explanation."""
        ...
