"""Feeders, meters, prices and the cap in force."""

import pytest

from controller.views.energy import FeederView
from controller.views.summary import summarise
from shared.errors import GatewayUnavailable, NotFound
from shared.quality import Quality
from shared.states import Reach
from tests.controller.operations.conftest import INTERVAL_MS, MINERS, SITE, START_MS, LiveSite


def feeder(live: LiveSite, name: str) -> FeederView:
    return {view.id: view for view in live.ports.energy.state(SITE).feeders}[name]


def test_feeders_are_metered_where_a_meter_hangs_and_summed_elsewhere(live: LiveSite):
    state = live.ports.energy.state(SITE)
    assert [view.id for view in state.feeders] == ["main", "f1", "f2", "f3"]
    main, first, second, third = state.feeders
    assert (main.name, main.parent, main.load_w.value, main.load_w.source) == ("Grid", None, 185_000.0, "meter m-main")
    assert (first.load_w.source, first.miners, first.parent) == ("meter m-c1", 20, "main")
    assert (second.load_w.value, second.load_w.source) == (60_000.0, "sum of 20 miners")
    assert second.load_w.observed_at_ms == live.clock.ms
    assert second.load_pct == pytest.approx(85.7, abs=0.1)
    assert (third.limit_w, third.load_pct) == (None, None)


def test_silent_miners_add_nothing_to_the_load_and_everything_to_the_worst_case(live: LiveSite):
    for device in MINERS[20:25]:
        live.machines[device].reach = Reach.TIMEOUT
    live.report(61_000)
    second = feeder(live, "f2")
    assert (second.load_w.value, second.load_w.note) == (45_000.0, "5 silent miners count as 0")
    assert second.worst_case_w == 60_000.0
    live.clock.ms += 61_000
    assert feeder(live, "f2").load_w.value is None
    assert feeder(live, "f2").load_w.reason == "no miner below it reports"


def test_a_stale_meter_gives_way_to_the_sum_and_says_so(live: LiveSite):
    live.meters_silent = True
    live.report(20_000)
    state = live.ports.energy.state(SITE)
    assert state.power_w.value is None
    assert "m-main is stale" in state.power_w.reason
    assert feeder(live, "f1").load_w.note == "meter m-c1 is stale or its value may not be used"
    main = state.meters[0]
    assert (main.power_w.value, main.power_w.quality) == (185_000.0, Quality.STALE)
    assert main.power_w.note == "its value is too old"


def test_meters_stand_beside_the_miners_below_them(live: LiveSite):
    main, first = live.ports.energy.state(SITE).meters
    assert (main.name, main.feeder, main.miners_w, main.residual_w) == ("Grid meter", "main", 180_000.0, 5_000.0)
    assert (first.feeder, first.residual_w) == ("f1", 0.0)
    assert main.voltage_v == (240.0, None, None)
    assert (main.power_factor, main.frequency_hz) == (0.98, None)


def test_prices_carry_source_age_and_break_even(live: LiveSite):
    market = live.ports.energy.state(SITE).market
    assert (market.price_usd_mwh.value, market.price_usd_mwh.source) == (30.0, "ERCOT west")
    assert market.price_usd_mwh.observed_at_ms == START_MS
    assert market.break_even_usd_mwh == pytest.approx(110 * 50 / 24_000 / 3_000 * 1e6)
    live.clock.ms += 25 * INTERVAL_MS
    price = live.ports.energy.state(SITE).market.price_usd_mwh
    assert (price.quality, price.note) == (Quality.STALE, "the price series has run out")
    assert live.ports.energy.state(SITE).market.break_even_usd_mwh is None


def test_invented_prices_say_so(live: LiveSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live.prices, "_replay_from_ms", START_MS)
    price = live.ports.energy.state(SITE).market.price_usd_mwh
    assert price.source == "ERCOT west (synthetic)"
    assert "invented" in price.note


def test_without_a_price_the_market_is_missing_with_its_reason(live: LiveSite, monkeypatch: pytest.MonkeyPatch):
    def none(_now_ms: int) -> None:
        raise GatewayUnavailable("the feed is away")

    monkeypatch.setattr(live.prices, "current", none)
    market = live.ports.energy.state(SITE).market
    assert (market.price_usd_mwh.value, market.price_usd_mwh.reason) == (None, "the feed is away")


async def test_price_points_know_what_lies_ahead(live: LiveSite):
    points = await live.ports.energy.prices(SITE, START_MS, START_MS + 3 * INTERVAL_MS)
    assert [point.forecast for point in points] == [False, True, True]
    with pytest.raises(NotFound):
        await live.ports.energy.prices("nowhere", 0, 1)


def test_the_cap_is_that_of_the_connection_without_a_curtailment(live: LiveSite):
    state = live.ports.energy.state(SITE)
    assert (state.cap_w, state.cap_reason) == (300_000.0, "limit of the site's connection")


def test_one_moment_gives_one_summary(live: LiveSite):
    frame, state = live.ports.fleet.frame(SITE), live.ports.energy.state(SITE)
    assert state is live.ports.energy.state(SITE)
    summary = summarise(frame, state)
    assert summary.efficiency_j_per_th.value == pytest.approx(185_000 / 6_600)
    assert summary.hashrate_ths.low == pytest.approx(6_600 * 0.97)
    assert summary.profit_usd_h.value == pytest.approx(6_600 * 50 / 24_000 - 0.185 * 30)
