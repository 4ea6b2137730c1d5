"""The newest reading of each device, and the rows that the next batch carries.

Pollers write here as answers come in; once a cycle `freeze` takes an image, and everything is decided on that.
"""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from agent.site.devices.image import MeterState, MinerState, PduState, ProcessImage
from agent.site.devices.ports import Meter, Miner, Pdu
from agent.site.devices.reading import BoardReading, MeterReading, MinerReading, OutletReading, PduReading
from agent.site.roster import Known
from agent.site.telemetry.flatline import Flatlines
from agent.site.telemetry.outlet import Outlets
from shared.clock import Instant
from shared.states import Reach
from shared.wire.telemetry import BoardTable, MeterTable, MinerTable, OutletTable

Table = TypeVar("Table", MinerTable, BoardTable, MeterTable, OutletTable)

_NO_MINER = MinerReading()
_NO_METER = MeterReading()


class Live:
    """`placed` are the miners of the site's file, known and never read: none of them is missing from any image."""

    def __init__(self, placed: Iterable[MinerState] = ()) -> None:
        self._miners = {miner.device_id: miner for miner in placed}
        self._meters: dict[str, MeterState] = {}
        self._pdus: dict[str, PduState] = {}
        self._full_faults: dict[str, tuple[str, ...]] = {}
        self._flatlines = Flatlines()
        self._outlets = Outlets()
        self._miner_rows: list[tuple[str, int, Reach, MinerReading]] = []
        self._meter_rows: list[tuple[str, int, Reach, MeterReading]] = []
        self._outlet_rows: list[tuple[str, int, Reach, OutletReading]] = []
        self._board_rows: list[tuple[str, int, BoardReading]] = []

    def miner_read(self, known: Known[Miner], at: Instant, reading: MinerReading) -> None:
        reading = self._flatlines.miner(known.device_id, at.monotonic_s, reading)
        fault, reading = self._outlets.judged(known, at.monotonic_s, reading)
        before = self._miners.get(known.device_id)
        self._miner_rows.append((known.device_id, at.wall_ms, Reach.UP, reading))
        self._board_rows.extend((known.device_id, at.wall_ms, board) for board in reading.boards)
        if reading.boards or reading.pools is not None:
            self._full_faults[known.device_id] = reading.faults
        elif before is not None and before.reading is not None:
            faults = (*reading.faults, *self._full_faults.get(known.device_id, ()))
            reading = _with_last_full(reading, before.reading, tuple(dict.fromkeys(faults)))
        if fault:
            reading = msgspec.structs.replace(reading, faults=(*reading.faults, fault))
        self._miners[known.device_id] = MinerState(
            known.device_id,
            Reach.UP,
            known.rating,
            known.placement,
            at.wall_ms,
            at.monotonic_s,
            reading,
            self._outlets.says_since_s(known.device_id),
        )

    def miner_failed(self, known: Known[Miner], at_ms: int, reach: Reach) -> None:
        before = self._miners.get(known.device_id) or MinerState(known.device_id, reach, known.rating)
        self._miners[known.device_id] = msgspec.structs.replace(
            before, reach=reach, rating=known.rating, placement=known.placement
        )
        self._miner_rows.append((known.device_id, at_ms, reach, _NO_MINER))

    def meter_read(self, known: Known[Meter], at: Instant, reading: MeterReading) -> None:
        reading = self._flatlines.meter(known.device_id, at.monotonic_s, reading)
        self._meters[known.device_id] = MeterState(known.device_id, Reach.UP, at.wall_ms, at.monotonic_s, reading)
        self._meter_rows.append((known.device_id, at.wall_ms, Reach.UP, reading))

    def meter_failed(self, known: Known[Meter], at_ms: int, reach: Reach) -> None:
        before = self._meters.get(known.device_id) or MeterState(known.device_id, reach)
        self._meters[known.device_id] = msgspec.structs.replace(before, reach=reach)
        self._meter_rows.append((known.device_id, at_ms, reach, _NO_METER))

    def pdu_read(self, known: Known[Pdu], at: Instant, reading: PduReading) -> None:
        """`at` is when the read began: no sample of it is older."""
        reading = self._flatlines.pdu(known.device_id, at.monotonic_s, reading)
        self._outlets.read(known.device_id, at.monotonic_s, reading)
        self._pdus[known.device_id] = PduState(known.device_id, Reach.UP, at.wall_ms, at.monotonic_s, reading)
        self._outlet_rows.extend((known.device_id, at.wall_ms, Reach.UP, outlet) for outlet in reading.outlets)

    def pdu_failed(self, known: Known[Pdu], at_ms: int, reach: Reach) -> None:
        before = self._pdus.get(known.device_id) or PduState(known.device_id, reach)
        self._pdus[known.device_id] = msgspec.structs.replace(before, reach=reach)
        outlets = before.reading.outlets if before.reading is not None else ()
        rows = ((known.device_id, at_ms, reach, OutletReading(outlet=known_outlet.outlet)) for known_outlet in outlets)
        self._outlet_rows.extend(rows)

    def freeze(self, cycle: int, now: Instant) -> ProcessImage:
        return ProcessImage(
            cycle,
            now.wall_ms,
            now.monotonic_s,
            MappingProxyType(self._miners.copy()),
            MappingProxyType(self._meters.copy()),
            MappingProxyType(self._pdus.copy()),
            self._outlets.frozen(),
        )

    def take_tables(self) -> tuple[MinerTable, BoardTable, MeterTable, OutletTable]:
        """The rows since the last call, as columns."""
        miners, self._miner_rows = self._miner_rows, []
        boards, self._board_rows = self._board_rows, []
        meters, self._meter_rows = self._meter_rows, []
        outlets, self._outlet_rows = self._outlet_rows, []
        return _miner_table(miners), _board_table(boards), _meter_table(meters), _outlet_table(outlets)


def _with_last_full(reading: MinerReading, before: MinerReading, faults: tuple[str, ...]) -> MinerReading:
    """A hot poll brings no boards and sees fewer faults; the image keeps those of the last full poll, and its mode."""
    mode = reading.power_mode or before.power_mode
    return msgspec.structs.replace(reading, boards=before.boards, pools=before.pools, power_mode=mode, faults=faults)


def _miner_table(rows: list[tuple[str, int, Reach, MinerReading]]) -> MinerTable:
    return _table(MinerTable, _located(rows), [row[3] for row in rows])


def _meter_table(rows: list[tuple[str, int, Reach, MeterReading]]) -> MeterTable:
    return _table(MeterTable, _located(rows), [row[3] for row in rows])


def _outlet_table(rows: list[tuple[str, int, Reach, OutletReading]]) -> OutletTable:
    given = _located(rows)
    given["on"] = [None if row[3].on is None else int(row[3].on) for row in rows]  # a column of numbers on the wire
    return _table(OutletTable, given, [row[3] for row in rows])


def _board_table(rows: list[tuple[str, int, BoardReading]]) -> BoardTable:
    located: dict[str, list[Any]] = {
        "device_id": [row[0] for row in rows],
        "observed_at_ms": [row[1] for row in rows],
    }
    return _table(BoardTable, located, [row[2] for row in rows])


def _located(rows: Sequence[tuple[str, int, Reach, object]]) -> dict[str, list[Any]]:
    return {
        "device_id": [row[0] for row in rows],
        "observed_at_ms": [row[1] for row in rows],
        "reach": [int(row[2]) for row in rows],
    }


def _table(kind: type[Table], given: dict[str, list[Any]], readings: Sequence[object]) -> Table:
    """Columns that are not given are the fields of the same name of the readings."""
    for name in kind.__struct_fields__:
        if name not in given:
            given[name] = [getattr(reading, name) for reading in readings]
    return kind(**given)
