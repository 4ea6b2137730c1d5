from pathlib import Path

import pytest

from hardware_sims.demo.scene import QUIET_USD_MWH, Scene, cleared, write_replayed_prices, write_synthetic_prices
from shared.errors import SettingInvalid
from shared.price_file import read_prices

HOURS = "Datetime (UTC),Datetime (Local),Price (USD/MWh)\n" + "".join(
    f"2023-01-01 {hour:02}:00:00+00:00,ignored,{price}\n" for hour, price in enumerate([20, 25, 400, 30])
)


def scene(folder: Path) -> Scene:
    return Scene(
        folder=folder,
        broker_port=1,
        web_port=2,
        site_file=folder / "site.toml",
        ports={},
        spike_at_s=60,
        spike_for_s=75,
    )


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    with pytest.raises(SettingInvalid, match="--folder"):
        cleared(tmp_path)
    assert precious.exists()


def test_a_folder_of_an_earlier_demo_is_emptied(tmp_path: Path) -> None:
    folder = cleared(tmp_path / "new")
    (folder / "agent.db").write_text("old")
    assert [path.name for path in cleared(folder).iterdir()] == ["made-by-bes-demo"]


def test_the_invented_prices_are_quiet_but_for_one_spike(tmp_path: Path) -> None:
    write_synthetic_prices(scene(tmp_path))
    prices = [price for _, price in read_prices(tmp_path / "prices.csv")]
    dear = [price for price in prices if price != QUIET_USD_MWH]
    assert len(dear) * 15 == 75


def test_a_real_series_has_its_dearest_hour_at_the_spike(tmp_path: Path) -> None:
    source = tmp_path / "real.csv"
    source.write_text(HOURS)
    assert write_replayed_prices(scene(tmp_path), source) == (20, 400)
    assert 400 in [price for _, price in read_prices(tmp_path / "prices.csv")]


@pytest.mark.parametrize("cell", ["nan", "", "dear"])
def test_a_price_that_is_none_names_line_and_column(tmp_path: Path, cell: str) -> None:
    source = tmp_path / "real.csv"
    source.write_text(HOURS.replace("400", cell))
    with pytest.raises(SettingInvalid, match=r"line 4, column 'Price \(USD/MWh\)'"):
        write_replayed_prices(scene(tmp_path), source)
