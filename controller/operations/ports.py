"""What the adapters need of storage, prices and dispatch."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from controller.ingest.model import GapEntry
from controller.mining.dispatch.anchor import Anchors
from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.pending import PendingOrders
from controller.mining.dispatch.quote import Quote


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What, of whom, when. `part` is the outlet or slot; `step_ms` one that `Telemetry.step_ms` gave, or any:
    multiples of five minutes and of an hour are answered from roll-ups.
    """

    site: str
    field: str
    from_ms: int
    to_ms: int
    step_ms: int
    kind: str = "miner"
    device_id: str = ""
    part: int = 0


class StoredSeries(Protocol):
    """Buckets that hold something, by their start."""

    @property
    def start_ms(self) -> tuple[int, ...]: ...

    @property
    def low(self) -> tuple[float, ...]: ...

    @property
    def mean(self) -> tuple[float, ...]: ...

    @property
    def high(self) -> tuple[float, ...]: ...


class StoredTotal(Protocol):
    """Sums over the devices of a kind, each by its mean in the bucket."""

    @property
    def start_ms(self) -> tuple[int, ...]: ...

    @property
    def total(self) -> tuple[float, ...]: ...


class Telemetry(Protocol):
    """What was stored. StorageError names a field that is not kept at a step."""

    def step_ms(self, from_ms: int, to_ms: int, points: int) -> int:
        """The finest step that gives at most `points` buckets."""
        ...

    async def kept_step_ms(self, site: str, kind: str, from_ms: int) -> int:
        """The finest step for which values of `from_ms` are still kept."""
        ...

    async def series(self, query: SeriesQuery) -> StoredSeries: ...

    async def site_total(self, query: SeriesQuery) -> StoredTotal: ...

    async def gaps(self, site: str, node: str | None = None, limit: int = 1000) -> Sequence[GapEntry]:
        """Newest first."""
        ...


class PriceFeed(Protocol):
    def current(self, now_ms: int) -> Quote:
        """The price that holds now, or the last one that did. GatewayUnavailable where there is none at all."""
        ...

    def between(self, from_ms: int, to_ms: int) -> tuple[tuple[int, float], ...]:
        """(start, USD/MWh) of the intervals that touch a span."""
        ...


class SiteDispatch(Protocol):
    """`controller.mining.dispatch.DispatchService` of one site."""

    @property
    def last(self) -> Cycle | None: ...

    @property
    def automatic(self) -> bool: ...

    @property
    def pending(self) -> PendingOrders: ...

    @property
    def anchors(self) -> Anchors | None:
        """What the meters showed when nothing moved last."""
        ...

    def notify(self, trigger: str, *, urgent: bool = False) -> None: ...
