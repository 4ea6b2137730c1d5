"""Series from the real telemetry store."""

import pytest

from controller.ingest.model import Group, RecordArrival
from controller.views.history import Series, SeriesRequest
from shared.errors import Malformed, NotFound
from shared.wire.record import Gap, GapBatch, RecordKind
from tests.controller.operations.conftest import MINERS, NODE, SITE, START_MS, LiveSite

MINUTE_MS = 60_000


async def series(
    live: LiveSite, subject: str, field: str, *, span_ms: int = 10 * MINUTE_MS, points: int = 600
) -> Series:
    request = SeriesRequest(
        site=SITE, subject=subject, field=field, from_ms=START_MS, to_ms=START_MS + span_ms, points=points
    )
    return await live.ports.history.series(request)


@pytest.fixture
def kept(live: LiveSite) -> LiveSite:
    """Three minutes of samples, one every ten seconds, the first miner at half power in the last of them."""
    for cycle in range(18):
        live.machines[MINERS[0]].power_w = 1_500.0 if cycle >= 12 else 3_000.0
        live.keep(live.report(10_000))
    return live


async def test_a_device_a_feeder_and_the_site_have_series(kept: LiveSite):
    miner = await series(kept, MINERS[0], "power_w")
    assert (miner.unit, miner.step_ms) == ("W", 10_000)
    assert len(miner.start_ms) == len(miner.mean) == 60
    means = [mean for mean in miner.mean if mean is not None]
    assert (means[0], means[-1], len(means)) == (3_000.0, 1_500.0, 18)
    assert miner.mean[-1] is None
    meter = await series(kept, "f1", "power_w")
    assert [mean for mean in meter.mean if mean is not None][-1] == 58_500.0
    site = await series(kept, SITE, "power_w")
    assert [mean for mean in site.mean if mean is not None][-1] == 183_500.0
    same = await series(kept, "m-main", "power_w")
    assert same.mean == site.mean


async def test_the_hash_rate_of_a_site_is_the_sum_of_its_miners(kept: LiveSite):
    shown = await series(kept, SITE, "hashrate_ths", points=20)
    assert (shown.unit, shown.step_ms) == ("TH/s", MINUTE_MS)
    assert [round(mean) for mean in shown.mean if mean is not None] == [6_600] * 3  # the fourth minute is not over
    fine = await series(kept, SITE, "hashrate_ths")
    assert fine.step_ms == MINUTE_MS


async def test_gaps_of_the_subject_in_the_span_are_drawn(kept: LiveSite):
    def gap(first_seq: int, first_ms: int | None, last_ms: int | None) -> Gap:
        return Gap("epoch", first_seq, first_seq + 9, 90, "disk_full_downsampled", first_ms, last_ms)

    inside = gap(1_000, START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS)
    later = gap(2_000, START_MS + 60 * MINUTE_MS, START_MS + 61 * MINUTE_MS)
    unknown = gap(3_000, None, None)
    batch = GapBatch(gaps=(inside, later, unknown))
    kept.store.store(
        Group([RecordArrival(SITE, NODE, "epoch", 500, RecordKind.GAP, b"", batch)], [], []), kept.clock.ms
    )
    for subject in (MINERS[0], SITE):
        (drawn,) = (await series(kept, subject, "power_w")).gaps
        assert (drawn.from_seq, drawn.samples, drawn.reason) == (1_000, 90, "disk_full_downsampled")
    assert len(await kept.ports.nodes.gaps(SITE)) == 3


async def test_what_was_not_stored_cannot_be_shown(live: LiveSite):
    for subject, field, error in (
        ("m-none", "power_w", NotFound),
        ("f2", "power_w", NotFound),
        (MINERS[0], "voltage_l1_v", Malformed),
        (SITE, "chip_temp_c", Malformed),
        ("m-main", "hashrate_ths", Malformed),
    ):
        with pytest.raises(error):
            await series(live, subject, field)
    with pytest.raises(Malformed, match="not kept"):
        await series(live, MINERS[0], "uptime_s", span_ms=60 * MINUTE_MS, points=2)
    empty = await series(live, MINERS[0], "power_w")
    assert set(empty.mean) == {None}
