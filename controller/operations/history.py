"""Values over time from the telemetry store, with the holes drawn in."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from controller.ingest.model import GapEntry
from controller.mining.fleet import SiteSnapshot
from controller.operations.meter import main_meters
from controller.operations.moment import Moments
from controller.operations.ports import SeriesQuery, Telemetry
from controller.views.history import GapView, Series, SeriesRequest
from shared.errors import Malformed, NotFound, StorageError
from shared.states import DeviceKind
from shared.wire.telemetry import METER_FIELDS, MINER_FIELDS, OUTLET_FIELDS

SITE_TOTAL_STEP_MS = 60_000  # every miner is read at least once in a minute, so a sum over a minute has them all
MAIN_METER_SPAN_MS = 30_000
OUTLET = "outlet"
_FIELDS: dict[str, tuple[str, ...]] = {
    DeviceKind.MINER: MINER_FIELDS,
    DeviceKind.METER: METER_FIELDS,
    OUTLET: OUTLET_FIELDS,
}
_SUMMED = ("hashrate_ths", "hashrate_expected_ths", "power_w")
_UNITS = {"ths": "TH/s", "w": "W", "c": "°C", "rpm": "rpm", "s": "s", "v": "V", "a": "A", "hz": "Hz", "wh": "Wh"}
_Number = float | None


class Subject(NamedTuple):
    """Whose values a series shows. An empty `device_id` is the sum over the site's devices of the kind; `part` an
    outlet of a PDU.
    """

    kind: str
    device_id: str = ""
    part: int = 0


class LiveHistory:
    """Fills `controller.views.ports.History`."""

    def __init__(self, moments: Moments, telemetry: Telemetry) -> None:
        self._moments = moments
        self._telemetry = telemetry

    async def series(self, request: SeriesRequest) -> Series:
        """NotFound for an unknown subject, Malformed for a field that it does not have or that is not kept so long."""
        snapshot = self._moments.of(request.site).snapshot
        subject = subject_of(snapshot, request.subject, request.field)
        step_ms = self._telemetry.step_ms(request.from_ms, request.to_ms, request.points)
        kept_ms = await self._telemetry.kept_step_ms(request.site, subject.kind, request.from_ms)
        step_ms = max(step_ms, kept_ms, 0 if subject.device_id else SITE_TOTAL_STEP_MS)
        query = SeriesQuery(
            site=request.site,
            kind=subject.kind,
            device_id=subject.device_id,
            part=subject.part,
            field=request.field,
            from_ms=request.from_ms,
            to_ms=request.to_ms,
            step_ms=step_ms,
        )
        try:
            found = await self._buckets(query)
        except StorageError as error:
            if type(error) is not StorageError:
                raise
            raise Malformed(error.detail) from error
        whole_ms = request.to_ms if subject.device_id else min(request.to_ms, snapshot.taken_at_ms - step_ms + 1)
        starts = tuple(range(request.from_ms // step_ms * step_ms, whole_ms, step_ms))  # no sum of half a minute
        low, mean, high = (tuple(map(column.get, starts)) for column in found)
        gaps = await self._gaps(request)
        return Series(
            subject=request.subject,
            field=request.field,
            unit=_UNITS.get(request.field.rsplit("_", 1)[-1], ""),
            step_ms=step_ms,
            start_ms=starts,
            low=low,
            mean=mean,
            high=high,
            gaps=gaps,
        )

    async def meter_change_w(self, site: str, from_ms: int, to_ms: int) -> float | None:
        """How far the site's main meter moved between two moments; None where it was not read around both."""
        meters = main_meters(self._moments.of(site).snapshot)
        if len(meters) != 1 or not meters[0]:
            return None
        before = await self._mean(site, meters[0], from_ms - MAIN_METER_SPAN_MS, from_ms)
        after = await self._mean(site, meters[0], max(from_ms, to_ms - MAIN_METER_SPAN_MS), to_ms)
        return None if before is None or after is None else after - before

    async def _mean(self, site: str, meter: str, from_ms: int, to_ms: int) -> float | None:
        query = SeriesQuery(
            site=site,
            kind=DeviceKind.METER,
            device_id=meter,
            field="power_w",
            from_ms=from_ms,
            to_ms=to_ms,
            step_ms=self._telemetry.step_ms(from_ms, to_ms, 10),
        )
        means = (await self._telemetry.series(query)).mean
        return means[-1] if means else None

    async def _buckets(self, query: SeriesQuery) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
        """Low, mean and high by the start of each bucket that holds something; of a sum all three are the sum."""
        if query.device_id:
            stored = await self._telemetry.series(query)
            columns = (stored.low, stored.mean, stored.high)
            low, mean, high = (dict(zip(stored.start_ms, column, strict=True)) for column in columns)
            return low, mean, high
        summed = await self._telemetry.site_total(query)
        total = dict(zip(summed.start_ms, summed.total, strict=True))
        return total, total, total

    async def _gaps(self, request: SeriesRequest) -> tuple[GapView, ...]:
        """Those of the node that reads the subject, or of all nodes for whatever several of them read."""
        layout = self._moments.of(request.site).frame.layout
        row = layout.row_of.get(request.subject)
        node = None if row is None else layout.node[row] or None
        entries = await self._telemetry.gaps(request.site, node)
        return tuple(
            gap
            for gap in gap_views(entries)
            if gap.first_ms is not None
            and gap.last_ms is not None
            and gap.first_ms < request.to_ms
            and gap.last_ms >= request.from_ms
        )


def subject_of(snapshot: SiteSnapshot, name: str, field: str) -> Subject:
    """A device, a feeder's meter, or the site: its main meter, and the sum of its miners for what no meter measures."""
    subject = _named(snapshot, name, field)
    fields = _FIELDS[subject.kind]
    if field not in fields:
        raise Malformed(f"{name!r} has no field {field!r}; there are {', '.join(fields)}")
    if not subject.device_id and field not in _SUMMED:
        raise Malformed(f"{field} of all miners is no sum; there are {', '.join(_SUMMED)}")
    return subject


def _named(snapshot: SiteSnapshot, name: str, field: str) -> Subject:
    tree = snapshot.tree
    if name == snapshot.site.id:
        meters = main_meters(snapshot)
        metered = len(meters) == 1 and meters[0] and field in METER_FIELDS
        return Subject(DeviceKind.METER, meters[0]) if metered else Subject(DeviceKind.MINER)
    if name in snapshot.roster.row:
        return _of_miner(snapshot, name, field)
    if name in snapshot.meters.keys:
        return Subject(DeviceKind.METER, name)
    if name in tree.index:
        meter = tree.meters[tree.index[name]]
        if meter:
            return Subject(DeviceKind.METER, meter)
        raise NotFound(f"no meter hangs on feeder {name!r}, so nothing was stored of it")
    raise NotFound(f"site {snapshot.site.id!r} has no device or feeder {name!r}")


def _of_miner(snapshot: SiteSnapshot, name: str, field: str) -> Subject:
    """The miner, or for watts that it cannot measure by itself the outlet that it hangs on."""
    row = snapshot.roster.row[name]
    outlet = int(snapshot.roster.outlet[row])
    if field != "power_w" or outlet < 0 or not math.isnan(float(snapshot.value("power_w")[row])):
        return Subject(DeviceKind.MINER, name)
    pdu, number = snapshot.roster.outlets[outlet]
    return Subject(OUTLET, pdu, number)


def gap_views(entries: Sequence[GapEntry]) -> tuple[GapView, ...]:
    return tuple(
        GapView(
            node=gap.node,
            epoch=gap.epoch,
            from_seq=gap.from_seq,
            to_seq=gap.to_seq,
            samples=gap.samples,
            reason=gap.reason,
            first_ms=gap.first_ms,
            last_ms=gap.last_ms,
        )
        for gap in entries
    )
