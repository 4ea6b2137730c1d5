"""What dispatch needs of the rest of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.quote import Quote
from controller.mining.fleet.snapshot import SiteSnapshot
from shared.actions import AnyAction

OrderLine = tuple[str, AnyAction, int | None]
"""A device, what it shall do, and the OpState in which it was seen (None: it does not matter)."""


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


class Holds(Protocol):
    def held(self, site: str) -> frozenset[str]:
        """Miners that a person operates now."""
        ...


class Orders(Protocol):
    """The power door."""

    async def issue(
        self, site: str, orders: Sequence[OrderLine], *, reason: str, decision_id: str, expires_in_s: float
    ) -> str:
        """Hand orders over, citing the decision; the id under which their outcomes come back. Denied where a rule
        refuses them whole.
        """
        ...


class Decisions(Protocol):
    async def record(self, cycle: Cycle) -> None:
        """Keep a decision; called before any of its orders goes out, so that whatever they cite exists."""
        ...

    def unsound(self, site: str, problem: str) -> None:
        """A decision was not released because its audit contradicts it."""
        ...
