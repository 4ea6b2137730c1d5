"""Prices from CSV files and from the synthetic day."""

from pathlib import Path

import pytest

from controller.app import prices_of
from controller.gateways.prices import Hashprice, NoPrices, PriceSeries, SeriesPrices, load_series, synthetic_day
from controller.gateways.prices.series import MOST_PRICES
from controller.gateways.prices.synthetic import SPIKE_USD_MWH
from controller.settings import PriceFeed
from shared.errors import GatewayUnavailable, Malformed, SettingInvalid, SettingMissing

HOUR_MS = 3_600_000
HASHPRICE = Hashprice(45.0, 1_000)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    return path


def prices(series: PriceSeries, **options: int) -> SeriesPrices:
    return SeriesPrices(series, lambda: HASHPRICE, **options)


def test_reads_the_form_of_public_market_files(tmp_path: Path) -> None:
    series = load_series(
        written(
            tmp_path,
            "Datetime (UTC),Datetime (Local),Price (USD/MWh)\n"
            "2022-01-01 00:00:00+00:00,2021-12-31 18:00:00-06:00,32.69\n"
            "2022-01-01 01:00:00+00:00,2021-12-31 19:00:00-06:00,-4.5\n",
        )
    )
    assert series.start_ms == (1_640_995_200_000, 1_640_998_800_000)
    assert series.usd_mwh == (32.69, -4.5)
    assert series.interval_ms == HOUR_MS


def test_a_time_without_offset_needs_a_zone_and_uses_it(tmp_path: Path) -> None:
    path = written(tmp_path, "timestamp,price\n2022-01-01 00:00,1\n2022-01-01 00:15,2\n")
    with pytest.raises(SettingInvalid, match=r"line 2, column 'timestamp'.*name the file's time zone"):
        load_series(path)
    assert load_series(path, "America/Chicago").start_ms[0] == 1_640_995_200_000 + 6 * HOUR_MS


def test_a_day_of_23_hours_keeps_its_order(tmp_path: Path) -> None:
    rows = "".join(f"2022-03-13T{hour:02d}:00,{hour}\n" for hour in (0, 1, 3, 4))
    series = load_series(written(tmp_path, "time,price\n" + rows), "America/Chicago")
    assert {b - a for a, b in zip(series.start_ms, series.start_ms[1:], strict=False)} == {HOUR_MS}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the file is empty"),
        ("time,price\n", "at least two rows"),
        ("time,price\n2022-01-01T00:00Z,1\n", "at least two rows"),
        ("when,price\n", "no time column among when, price"),
        ("time,cost\n", "no price column"),
        ("time,Price (EUR/MWh)\n", "not in eur/mwh"),
        ("time,price\nyesterday,1\n", r"line 2, column 'time': 'yesterday' is no ISO 8601 time"),
        ("time,price\n2022-01-01T00:00Z,1\n2022-01-01T01:00Z,dear\n", r"line 3, column 'price': 'dear' is no number"),
        ("time,price\n2022-01-01T00:00Z,nan\n", "no price in USD/MWh"),
        ("time,price\n2022-01-01T00:00Z,1e9\n", "no price in USD/MWh"),
        ("time,price\n2022-01-01T00:00Z,1\n2022-01-01T00:00Z,2\n", "line 3.*not later than the row before"),
        ("time,price\n2022-01-01T00:00Z\n", "line 2: 1 columns, the header has 2"),
    ],
)
def test_names_the_place_of_what_it_cannot_read(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingInvalid, match=complaint):
        load_series(written(tmp_path, text))


def test_an_unknown_zone_and_a_missing_file_are_settings_errors(tmp_path: Path) -> None:
    with pytest.raises(SettingMissing, match="no such file"):
        load_series(tmp_path / "none.csv")
    with pytest.raises(SettingInvalid, match="IANA"):
        load_series(written(tmp_path, "time,price\n"), "Texas")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingInvalid, match="UTF-8"):
        load_series(binary)


def test_the_price_that_holds_and_the_one_that_has_run_out() -> None:
    feed = prices(PriceSeries("hub", (0, HOUR_MS), (10.0, 20.0), HOUR_MS))
    inside = feed.current(HOUR_MS + 5)
    assert (inside.energy_usd_mwh, inside.energy_from_ms, inside.energy_until_ms) == (20.0, HOUR_MS, 2 * HOUR_MS)
    assert inside.current(HOUR_MS + 5)
    assert not inside.synthetic
    assert inside.hashprice_at_ms == 1_000
    late = feed.current(3 * HOUR_MS)
    assert late.energy_usd_mwh == 20.0
    assert not late.current(3 * HOUR_MS)
    with pytest.raises(GatewayUnavailable, match="begins only"):
        feed.current(-1)


def test_a_replayed_series_repeats_and_says_that_it_is_not_real() -> None:
    feed = prices(PriceSeries("hub", (0, HOUR_MS), (10.0, 20.0), HOUR_MS), replay_from_ms=1_000)
    assert [feed.current(1_000 + hour * HOUR_MS).energy_usd_mwh for hour in range(4)] == [10.0, 20.0, 10.0, 20.0]
    assert feed.current(1_000).synthetic
    assert feed.current(1_000 + 2 * HOUR_MS).energy_from_ms == 1_000 + 2 * HOUR_MS
    assert feed.between(1_000, 1_000 + 3 * HOUR_MS) == (
        (1_000, 10.0),
        (1_000 + HOUR_MS, 20.0),
        (1_000 + 2 * HOUR_MS, 10.0),
    )


@pytest.mark.parametrize("to_ms", [10**17, MOST_PRICES * 1_000 + 2_000])
def test_a_replay_without_end_is_refused_before_it_is_played(to_ms: int) -> None:
    feed = prices(PriceSeries("two seconds", (0, 1_000), (10.0, 20.0), 1_000), replay_from_ms=0)
    with pytest.raises(Malformed, match="shorter span"):
        feed.between(0, to_ms)
    assert len(feed.between(0, MOST_PRICES * 1_000)) == MOST_PRICES


def test_intervals_that_touch_a_span() -> None:
    series = PriceSeries("hub", (0, HOUR_MS, 2 * HOUR_MS), (1.0, 2.0, 3.0), HOUR_MS)
    assert series.between(HOUR_MS - 1, HOUR_MS + 1) == ((0, 1.0), (HOUR_MS, 2.0))
    assert series.between(HOUR_MS, 2 * HOUR_MS) == ((HOUR_MS, 2.0),)


def test_the_synthetic_day_is_labelled_the_same_each_time_and_has_its_spike() -> None:
    day = synthetic_day(0)
    assert day == synthetic_day(0)
    assert day.synthetic
    assert len(day.usd_mwh) == 96
    assert day.usd_mwh.count(SPIKE_USD_MWH) == 4
    assert min(day.usd_mwh) > 0
    assert prices(day).current(71 * 900_000).energy_usd_mwh == SPIKE_USD_MWH


def test_the_hashprice_tells_its_age() -> None:
    assert HASHPRICE.age_s(61_000) == 60.0
    assert HASHPRICE.age_s(0) == 0.0


def test_without_a_feed_there_is_no_price_and_the_reason_says_what_to_do() -> None:
    for feed in (NoPrices(), prices_of(PriceFeed(), 0)):
        with pytest.raises(GatewayUnavailable, match=r"no price feed: set \[prices\] file"):
            feed.current(1_000)
        assert feed.between(0, 1 << 60) == ()


def test_an_invented_day_is_made_only_for_whoever_asks_for_one() -> None:
    assert prices_of(PriceFeed(synthetic=True), 0).current(1_000).synthetic
