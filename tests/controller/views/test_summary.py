"""The five figures, the map's bytes, the classification: one arithmetic for everybody."""

import dataclasses
import struct

import msgspec
import numpy as np
import pytest

from controller.views.condition import Condition, classify
from controller.views.energy import FeederView
from controller.views.figure import Figure, missing
from controller.views.frame import Words
from controller.views.map import MODES, SCALES, UNKNOWN, map_bytes, map_layout
from controller.views.summary import summarise
from shared.clock import SystemClock
from shared.errors import Malformed
from shared.quality import Quality
from shared.states import OpState
from tests.controller.console.fake_fleet import SITE
from tests.controller.console.fake_site import operations

SITE_PORTS = operations(SystemClock(), 200)
FRAME = SITE_PORTS.fleet.frame(SITE)
ENERGY = SITE_PORTS.energy.state(SITE)


def test_the_figures_follow_from_frame_meter_and_market() -> None:
    summary = summarise(FRAME, ENERGY)
    known = FRAME.known
    assert summary.hashrate_ths.value == pytest.approx(FRAME.hashrate_ths[known].sum())
    assert summary.miners_power_w.value == pytest.approx(FRAME.power_w[known].sum())
    assert summary.power_w == ENERGY.power_w
    assert summary.power_w.value is not None
    assert summary.hashrate_ths.value is not None
    expected = summary.power_w.value / summary.hashrate_ths.value
    assert summary.efficiency_j_per_th.value == pytest.approx(expected)
    earned = summary.hashrate_ths.value / 1000 * 52.4 / 24
    spent = summary.power_w.value / 1e6 * 38.2
    assert summary.profit_usd_h.value == pytest.approx(earned - spent)
    assert summary.profit_usd_h.quality == Quality.ESTIMATED
    assert summary.snapshot == FRAME.snapshot


def test_silent_miners_are_said_to_count_as_nothing() -> None:
    summary = summarise(FRAME, ENERGY)
    silent = summary.conditions["silent"]
    assert silent
    assert summary.hashrate_ths.note == f"{silent} silent miners count as 0"


def test_without_a_price_the_margin_is_missing_with_its_reason() -> None:
    market = msgspec.structs.replace(ENERGY.market, price_usd_mwh=missing("the feed is 2 h old"))
    summary = summarise(FRAME, msgspec.structs.replace(ENERGY, market=market))
    assert summary.profit_usd_h.value is None
    assert "the feed is 2 h old" in summary.profit_usd_h.reason


def test_without_a_meter_there_is_no_efficiency_and_the_margin_takes_the_miners_word() -> None:
    summary = summarise(FRAME, msgspec.structs.replace(ENERGY, power_w=missing("no meter")))
    assert summary.efficiency_j_per_th.value is None
    assert summary.profit_usd_h.value is not None


def test_a_feeder_knows_its_share_only_with_load_and_limit() -> None:
    feeder = FeederView(
        id="f",
        name="F",
        kind="pdu",
        parent=None,
        load_w=Figure(value=80.0, source="m"),
        worst_case_w=None,
        limit_w=100.0,
        miners=1,
    )
    assert feeder.load_pct == 80.0
    assert msgspec.structs.replace(feeder, limit_w=None).load_pct is None
    assert msgspec.structs.replace(feeder, load_w=missing("silent")).load_pct is None


def test_what_cannot_be_seen_is_silent_and_a_known_loss_of_power_is_not() -> None:
    count = 4
    found = classify(
        op_state=np.array([OpState.HASHING] * count, dtype=np.uint8),
        known=np.array([True, False, False, True]),
        powered=np.array([1, -1, 0, 1], dtype=np.int8),
        hash_ratio=np.array([0.5, 1.0, 1.0, 1.0]),
        chip_temp_c=np.array([60.0, 60.0, 60.0, 91.0]),
        board_missing=np.array([False] * count),
        warm_c=80.0,
        hot_c=90.0,
    )
    assert found.tolist() == [Condition.FAR_BELOW, Condition.SILENT, Condition.UNPOWERED, Condition.HOT]


@pytest.mark.parametrize("mode", MODES)
def test_map_bytes_hold_a_condition_and_a_value_for_every_cell(mode: str) -> None:
    raw = map_bytes(FRAME, mode)
    at_ms, count = struct.unpack_from("<QI", raw)
    assert (at_ms, count) == (FRAME.at_ms, 200)
    assert raw[12:212] == FRAME.condition.tobytes()
    assert len(raw) == 212 + (0 if mode == "condition" else 200)


def test_map_values_keep_to_fixed_limits() -> None:
    values = np.frombuffer(map_bytes(FRAME, "chip_temp_c"), dtype=np.uint8)[212:]
    unknown = np.isnan(FRAME.chip_temp_c)
    assert (values[unknown] == UNKNOWN).all()
    scale = SCALES["chip_temp_c"]
    back = scale.low + values[~unknown] / 254 * (scale.high - scale.low)
    assert np.abs(back - np.clip(FRAME.chip_temp_c[~unknown], scale.low, scale.high)).max() < 0.2


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(Malformed):
        map_bytes(FRAME, "__class__")


def test_layout_names_every_cell_once() -> None:
    layout = map_layout(FRAME.layout)
    assert len(set(layout.device_id)) == 200
    assert layout.revision == FRAME.layout.revision
    assert {len(layout.slot), len(layout.container), len(layout.rack), len(layout.shelf), len(layout.position)} == {200}


def test_no_two_miners_are_painted_on_one_spot() -> None:
    layout = FRAME.layout
    rack, shelf, slot = layout.rack.copy(), layout.shelf.copy(), layout.slot.copy()
    rack[:30], shelf[:30], slot[:30] = 0, 0, 0  # the site's file does not name them
    rack[30] = 10**6
    for column in (rack, shelf, slot):
        column[41] = column[40]
    odd = map_layout(dataclasses.replace(layout, rack=rack, shelf=shelf, slot=slot))
    spots = set(zip(odd.container, odd.rack, odd.shelf, odd.position, strict=True))
    assert len(spots) == 200
    assert min(*odd.rack, *odd.shelf, *odd.position) == 1
    assert max(odd.rack) <= layout.rack.max() + 1
    assert (odd.rack[40], odd.shelf[40], odd.position[40]) == (rack[40], shelf[40], slot[40])
    assert map_layout(layout).rack == tuple(layout.rack.tolist())


def test_words_say_what_they_were_made_of() -> None:
    words = Words.of(["b", "a", "b"])
    assert [words[row] for row in range(3)] == ["b", "a", "b"]
    assert words.is_one_of(["b"]).tolist() == [True, False, True]
