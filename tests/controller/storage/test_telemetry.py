"""Stored values come back: as samples, as roll-ups, late, folded; every sample counted exactly once at every age."""

import random
import sqlite3
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.site_load import site_batch
from controller.ingest import Group, RecordArrival
from controller.storage.sqlite.telemetry_reader import SeriesQuery, TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from controller.storage.sqlite.telemetry_upkeep import Retention, TelemetryUpkeep
from shared.errors import StorageError
from shared.quality import Quality, pack_qualities
from shared.states import Reach
from shared.wire.record import RecordKind
from shared.wire.telemetry import METER_FIELDS, MINER_FIELDS, MeterTable, MinerTable, OutletTable, TelemetryBatch

SITE = "north"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 20_000 * DAY


class SetClock:
    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class Bench:
    """A store with its reader, its upkeep and a clock that is set by hand."""

    def __init__(self, store: SqliteTelemetry) -> None:
        self.store = store
        self.clock = SetClock(START)
        self.reader = TelemetryReader(store)
        self.upkeep = TelemetryUpkeep(store, Retention(sample_days=1, five_minute_days=3), self.clock)
        self._seq = 0

    def put(self, batch: TelemetryBatch) -> None:
        self._seq += 1
        record = RecordArrival(SITE, "n1", "e", self._seq, RecordKind.TELEMETRY, b"", batch)
        result = self.store.store(Group([record], [], []), self.clock.ms)
        assert result.fresh == [record]

    def count(self, table: str) -> int:
        return self.store.committer.run(lambda c: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
async def bench(tmp_path):
    async with SqliteTelemetry(tmp_path / "telemetry.db") as store:
        yield Bench(store)


def power(device: str, at_ms: int, power_w: float | None, quality: Quality = Quality.GOOD) -> TelemetryBatch:
    absent: list[float | None] = [None]
    columns = dict.fromkeys(MINER_FIELDS, absent) | {"power_w": [power_w]}
    packed = pack_qualities([quality if name == "power_w" else Quality.ABSENT for name in MINER_FIELDS])
    return TelemetryBatch(
        miners=MinerTable(
            device_id=[device],
            observed_at_ms=[at_ms],
            reach=[0],
            op_state=[1],
            power_source=[1],
            quality=[packed],
            **columns,
        )
    )


def query(step_ms: int, **changes) -> SeriesQuery:
    fields = {"site": SITE, "field": "power_w", "from_ms": START, "to_ms": START + DAY, "device_id": "a"}
    return SeriesQuery(step_ms=step_ms, **(fields | changes))


@pytest.mark.parametrize("step_ms", [MINUTE, 5 * MINUTE, HOUR])
async def test_a_series_tells_least_mean_and_greatest_before_and_after_the_roll_up(bench, step_ms):
    for minute, watts in enumerate([100, 200, 300, 400]):
        bench.put(power("a", START + minute * 10_000, watts))
    before = await bench.reader.series(query(step_ms))
    assert (before.start_ms, before.low, before.mean, before.high) == ((START,), (100,), (250,), (400,))
    bench.clock.ms = START + 2 * HOUR
    assert await bench.upkeep.roll_up() == 2
    assert await bench.reader.series(query(step_ms)) == before
    assert await bench.upkeep.roll_up() == 0


async def test_values_that_cannot_be_trusted_stay_out_of_every_mean(bench):
    for at, (watts, quality) in enumerate([(100, Quality.GOOD), (9e9, Quality.IMPLAUSIBLE), (None, Quality.ABSENT)]):
        bench.put(power("a", START + at, watts, quality))
    for _ in range(2):
        for step_ms in (MINUTE, 5 * MINUTE, HOUR):
            assert (await bench.reader.series(query(step_ms))).mean == (100,)
        bench.clock.ms = START + 2 * HOUR
        await bench.upkeep.roll_up()


async def test_late_rows_open_their_bucket_again(bench):
    bench.put(power("a", START, 100))
    bench.clock.ms = START + 2 * HOUR
    await bench.upkeep.roll_up()
    bench.put(power("a", START + 1, 300))
    assert (await bench.reader.series(query(HOUR))).mean == (200,)
    await bench.upkeep.roll_up()
    assert (await bench.reader.series(query(HOUR))).mean == (200,)


async def test_rows_that_come_after_their_samples_were_deleted_are_added(bench):
    bench.put(power("a", START, 100))
    bench.clock.ms = START + 2 * DAY
    await bench.upkeep.roll_up()
    assert await bench.upkeep.retain() == 1
    bench.put(power("a", START + 1, 400))
    bench.put(power("a", START + 2, 100))
    for step_ms in (5 * MINUTE, HOUR):
        series = await bench.reader.series(query(step_ms))
        assert (series.low, series.mean, series.high) == ((100,), (200,), (400,))
    await bench.upkeep.roll_up()
    assert bench.count("miner_sample") == 0
    for step_ms in (5 * MINUTE, HOUR):
        assert (await bench.reader.series(query(step_ms))).mean == (200,)


async def test_retention_keeps_hours_for_ever(bench):
    bench.put(power("a", START, 100))
    bench.put(power("a", START + HOUR, 300))
    bench.clock.ms = START + 30 * DAY
    await bench.upkeep.roll_up()
    await bench.upkeep.retain()
    assert (bench.count("miner_sample"), bench.count("miner_5min"), bench.count("miner_1h")) == (0, 0, 2)
    assert (await bench.reader.series(query(HOUR))).mean == (100, 300)
    assert await bench.reader.kept_step_ms(SITE, "miner", START) == HOUR


class Draws:
    """A random history: what was stored, in any order of observation, with upkeep in between."""

    STEPS = st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 6 * 24 - 1), st.sampled_from("ab"), st.integers(0, 1000)),
            st.tuples(st.just("keep"), st.integers(0, 8)),
        ),
        max_size=25,
    )


@given(Draws.STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_sample_counts_once_whatever_the_order(tmp_path_factory, steps):
    """Against a list in memory. Sums are compared through means and numbers of devices."""
    async with SqliteTelemetry(tmp_path_factory.mktemp("t") / "telemetry.db") as store:
        bench = Bench(store)
        truth: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for step in steps:
            if step[0] == "put":
                _, tenth, device, watts = step
                at_ms = START + tenth * 10 * MINUTE + random.Random(watts).randrange(10 * MINUTE)
                bench.put(power(device, at_ms, watts))
                truth[at_ms // HOUR * HOUR][device].append(watts)
            else:
                bench.clock.ms = max(bench.clock.ms, START + step[1] * DAY)
                await bench.upkeep.roll_up()
                await bench.upkeep.retain()
            total = await bench.reader.site_total(query(HOUR))
            got = dict(zip(total.start_ms, total.total, strict=True))
            want = {hour: sum(sum(w) / len(w) for w in devices.values()) for hour, devices in truth.items()}
            assert got == pytest.approx(want)


async def test_a_site_total_says_how_many_devices_are_in_it(bench):
    bench.put(power("a", START, 100))
    bench.put(power("b", START, 50))
    bench.put(power("b", START + 5 * MINUTE, 60))
    total = await bench.reader.site_total(query(5 * MINUTE))
    assert (total.total, total.devices) == ((150, 60), (2, 1))


async def test_outlets_of_one_pdu_are_told_apart(bench):
    table = OutletTable(
        device_id=["p", "p"],
        outlet=[1, 2],
        observed_at_ms=[START, START],
        reach=[0, 0],
        quality=[0x1111, 0x1111],
        on=[1, 0],
        power_w=[10.0, 20.0],
        current_a=[0.1, 0.2],
        voltage_v=[230.0, 230.0],
        energy_wh=[None, None],
    )
    bench.put(TelemetryBatch(outlets=table))
    for outlet, watts in ((1, 10.0), (2, 20.0)):
        series = await bench.reader.series(query(5 * MINUTE, kind="outlet", device_id="p", part=outlet))
        assert series.mean == (watts,)
    switched = await bench.store.people.rows('SELECT outlet, "on" FROM outlet_sample ORDER BY outlet')
    assert switched == [(1, 1), (2, 0)]


def meter_batch(device_id: str, at_ms: int, power_w: float, energy_wh: float) -> TelemetryBatch:
    """One meter's reading; what it does not measure is None, and absent in `quality`."""
    known = {"power_w": power_w, "energy_import_wh": energy_wh}
    quality = pack_qualities([Quality.GOOD if name in known else Quality.ABSENT for name in METER_FIELDS])
    columns = {name: [known.get(name)] for name in METER_FIELDS}
    meters = MeterTable(
        device_id=[device_id], observed_at_ms=[at_ms], reach=[int(Reach.UP)], quality=[quality], **columns
    )
    return TelemetryBatch(sampled_at_ms=at_ms, meters=meters)


async def test_meters_and_the_hosts_health_are_kept(bench):
    bench.put(meter_batch("main", START, 1_000_000, 5_000))
    bench.put(site_batch(0, 2, START, host=True))
    assert (await bench.reader.series(query(MINUTE, kind="meter", device_id="main"))).mean == (1_000_000,)
    assert await bench.store.people.rows("SELECT devices_known FROM host_sample") == [(2,)]
    assert await bench.store.people.rows("SELECT count(*) FROM miner_sample") == [(2,)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "toaster"}, "no table"),
        ({"field": "uptime_s"}, "not kept"),
        ({"field": "power_w; DROP TABLE lane"}, "not kept"),
        ({"step_ms": 0}, "buckets"),
        ({"to_ms": START + 10_000 * DAY}, "buckets"),
    ],
)
async def test_a_question_without_an_answer_is_refused(bench, changes, message):
    with pytest.raises(StorageError, match=message):
        await bench.reader.series(query(**({"step_ms": 5 * MINUTE} | changes)))


async def test_steps(bench):
    assert bench.reader.step_ms(0, HOUR, 600) == 10_000
    assert bench.reader.step_ms(0, DAY, 600) == 5 * MINUTE
    assert bench.reader.step_ms(0, 3650 * DAY, 600) == DAY


async def test_marks_survive_a_restart(tmp_path):
    path = tmp_path / "telemetry.db"
    batch = site_batch(0, 1, START)
    arrivals = [RecordArrival(SITE, "n1", "e", seq, RecordKind.TELEMETRY, b"", batch) for seq in (1, 2, 4)]
    async with SqliteTelemetry(path) as store:
        assert store.store(Group(arrivals, [], []), 0).marks == {(SITE, "n1", "e"): 2}
    async with SqliteTelemetry(path) as store:
        again = store.store(Group(arrivals, [], []), 0)
        assert (again.duplicates, again.fresh) == (3, [])
        third = RecordArrival(SITE, "n1", "e", 3, RecordKind.TELEMETRY, b"", batch)
        assert store.store(Group([third], [], []), 0).marks == {(SITE, "n1", "e"): 4}
        (lane,) = await TelemetryReader(store).lanes(SITE)
        assert (lane.mark, lane.announced) == (4, 4)


async def test_a_failed_transaction_leaves_marks_as_they_were(bench, monkeypatch):
    bench.put(power("a", START, 1))

    def explode(*_args) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(bench.store._samples, "settle", explode)
    with pytest.raises(StorageError):
        bench.put(power("new", START, 2))
    monkeypatch.undo()
    bench._seq -= 1
    bench.put(power("new", START, 2))
    assert bench.count("miner_sample") == 2
