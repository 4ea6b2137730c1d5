"""What people and programs ask of stored telemetry. Reads never wait for the writer."""

from collections.abc import Sequence
from typing import Any

import msgspec

from controller.ingest.model import GapEntry
from controller.operations.ports import SeriesQuery
from controller.storage.sqlite.telemetry_query import STEPS_MS, device_query, level_for, site_query
from controller.storage.sqlite.telemetry_rollup import FIVE_MINUTES, ONE_HOUR
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from controller.storage.sqlite.telemetry_table import TABLES
from shared.errors import StorageError

_MOST_BUCKETS = 20_000


class StoredSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Buckets that hold something, by their start. The mean weighs each usable sample alike."""

    step_ms: int
    start_ms: tuple[int, ...]
    low: tuple[float, ...]
    mean: tuple[float, ...]
    high: tuple[float, ...]


class StoredTotal(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the devices of a site, each by its mean in the bucket. `devices` says how many are in the sum: one that
    was not heard is not in it, which is not the same as zero.
    """

    step_ms: int
    start_ms: tuple[int, ...]
    total: tuple[float, ...]
    devices: tuple[int, ...]


class LaneStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a node's epoch is stored; `announced` - `mark` records are still to come."""

    site: str
    node: str
    epoch: str
    mark: int
    announced: int
    first_seen_ms: int
    last_seen_ms: int
    retired_at_ms: int | None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    at_ms: int
    topic: str
    code: str
    detail: str
    epoch: str | None
    seq: int | None
    size: int


class TelemetryReader:
    def __init__(self, store: SqliteTelemetry) -> None:
        self._store = store

    def step_ms(self, from_ms: int, to_ms: int, points: int) -> int:
        """The finest step of ours that gives at most `points` buckets."""
        span_ms = max(1, to_ms - from_ms)
        return next((step for step in STEPS_MS if span_ms <= step * points), STEPS_MS[-1])

    async def kept_step_ms(self, site: str, kind: str, from_ms: int) -> int:
        """The finest step for which values of `from_ms` are still kept."""
        rows = await self._all("SELECT level, before_ms FROM horizon WHERE site = ? AND kind = ?", (site, kind))
        deleted_before = dict(rows)
        if from_ms < deleted_before.get(ONE_HOUR.number, 0):
            return ONE_HOUR.width_ms
        return FIVE_MINUTES.width_ms if from_ms < deleted_before.get(FIVE_MINUTES.number, 0) else STEPS_MS[0]

    async def series(self, query: SeriesQuery) -> StoredSeries:
        """One field of one device. StorageError names a field that is not kept."""
        parameters = _checked(query)
        rows = await self._all(device_query(query.kind, query.field, level_for(query.step_ms)), parameters)
        start, low, mean, high = zip(*rows, strict=True) if rows else ((), (), (), ())
        return StoredSeries(step_ms=query.step_ms, start_ms=start, low=low, mean=mean, high=high)

    async def site_total(self, query: SeriesQuery) -> StoredTotal:
        """The sum over all devices of a kind: `power_w` of miners is the site's power as its miners tell it."""
        parameters = _checked(query)
        rows = await self._all(site_query(query.kind, query.field, level_for(query.step_ms)), parameters)
        start, total, devices = zip(*rows, strict=True) if rows else ((), (), ())
        return StoredTotal(step_ms=query.step_ms, start_ms=start, total=total, devices=devices)

    async def gaps(self, site: str, node: str | None = None, limit: int = 1000) -> list[GapEntry]:
        """The ledger, newest first."""
        rows = await self._all(
            "SELECT site, node, epoch, from_seq, to_seq, samples, reason, first_ms, last_ms, recorded_at_ms"
            " FROM gap JOIN lane USING (lane_no) WHERE site = :site AND (:node IS NULL OR node = :node)"
            " ORDER BY gap_no DESC LIMIT :limit",
            {"site": site, "node": node, "limit": limit},
        )
        return [GapEntry(**dict(zip(GapEntry.__struct_fields__, row, strict=True))) for row in rows]

    async def lanes(self, site: str | None = None) -> list[LaneStatus]:
        """Every epoch of every node, the newest epoch of a node last."""
        rows = await self._all(
            "SELECT site, node, epoch, mark, announced, first_seen_ms, last_seen_ms, retired_at_ms FROM lane"
            " WHERE :site IS NULL OR site = :site ORDER BY site, node, lane_no",
            {"site": site},
        )
        return [LaneStatus(**dict(zip(LaneStatus.__struct_fields__, row, strict=True))) for row in rows]

    async def quarantine(self, limit: int = 100) -> list[Quarantined]:
        """Frames that nobody understood, newest first."""
        rows = await self._all(
            "SELECT at_ms, topic, code, detail, epoch, seq, length(payload) FROM quarantine"
            " ORDER BY quarantine_no DESC LIMIT ?",
            (limit,),
        )
        return [Quarantined(**dict(zip(Quarantined.__struct_fields__, row, strict=True))) for row in rows]

    async def _all(self, query: str, parameters: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
        return await self._store.people.rows(query, parameters)


def _checked(query: SeriesQuery) -> dict[str, Any]:
    """The parameters of a query that can be answered, from the start of its first bucket."""
    table = TABLES.get(query.kind)
    if table is None:
        raise StorageError(f"telemetry has no table {query.kind!r}; there are {', '.join(TABLES)}")
    if query.step_ms <= 0 or (query.to_ms - query.from_ms) / query.step_ms > _MOST_BUCKETS:
        raise StorageError(f"a step of {query.step_ms} ms cuts the span into no or more than {_MOST_BUCKETS} buckets")
    kept = table.rolled if level_for(query.step_ms) else table.fields
    if query.field not in kept:
        raise StorageError(
            f"{query.field!r} of a {query.kind} is not kept at steps of {query.step_ms} ms; there are {', '.join(kept)}"
        )
    return {
        "site": query.site,
        "kind": query.kind,
        "device_id": query.device_id,
        "part": query.part,
        "from": query.from_ms // query.step_ms * query.step_ms,
        "to": query.to_ms,
        "step": query.step_ms,
    }
