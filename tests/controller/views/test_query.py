"""The search grammar against a fleet whose truth is known column by column."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.views.condition import Condition
from controller.views.frame import AlarmMark, FleetFrame
from controller.views.miner import MAX_PAGE, SORTABLE, matching_ids, order_of, page
from controller.views.query import (
    MAX_QUERY_CHARS,
    NUMBER_FIELDS,
    NUMBER_WORDS,
    WORD_FIELDS,
    cause_word,
    parse,
    select,
)
from shared.clock import SystemClock
from shared.errors import BesError, Malformed
from tests.controller.console.fake_fleet import SITE, FakeFleet

FRAME: FleetFrame = FakeFleet(SystemClock(), 300).frame(SITE)


def rows(text: str) -> np.ndarray:
    return np.flatnonzero(select(FRAME, parse(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", np.ones(300, dtype=bool)),
        ("state:silent", FRAME.condition == Condition.SILENT),
        ("STATE:Silent,hot", np.isin(FRAME.condition, (Condition.SILENT, Condition.HOT))),
        ("-state:silent", FRAME.condition != Condition.SILENT),
        ("state:*below", np.isin(FRAME.condition, (Condition.BELOW, Condition.FAR_BELOW))),
        ("chip>80", FRAME.chip_temp_c > 80),
        ("chip<=80.5", FRAME.chip_temp_c <= 80.5),
        ("model:S21*", np.ones(300, dtype=bool)),
        ("model:s21", FRAME.layout.model.codes == 0),
        ("container:c02 chip>60", (FRAME.layout.container.codes == 1) & (FRAME.chip_temp_c > 60)),
        ("node:edge-2", FRAME.layout.node.codes == 1),
        ("rack:c01-r3", (FRAME.layout.container.codes == 0) & (FRAME.layout.rack == 3)),
        ("rack:C02", FRAME.layout.container.codes == 1),
    ],
)
def test_terms_select_what_they_say(text: str, expected: np.ndarray) -> None:
    assert rows(text).tolist() == np.flatnonzero(expected).tolist()


@pytest.mark.parametrize(
    "text",
    ["alarm:device.fault/login.default", "ALARM:Device.Fault", "alarm:login.default", "alarm:login.*,nothing.else"],
)
def test_an_alarm_finds_what_it_touches(text: str) -> None:
    assert len(FRAME.alarms[0].rows) > 200
    assert rows(text).tolist() == FRAME.alarms[0].rows.tolist()
    assert rows(f"-{text}").tolist() == sorted(set(range(300)) - set(FRAME.alarms[0].rows.tolist()))


def test_alarms_of_one_cause_do_not_find_those_of_another() -> None:
    frame = replace(
        FRAME,
        find_alarms=lambda: (
            AlarmMark("device.silent", "f-c01", np.array([1, 2])),
            AlarmMark("device.silent", "f-c02", np.array([7])),
            AlarmMark("device.fault", cause_word("fan 2, front: lost"), np.array([2, 9])),
        ),
    )

    def found(text: str) -> list[int]:
        return np.flatnonzero(select(frame, parse(text))).tolist()

    assert found("alarm:device.silent/f-c01") == [1, 2]
    assert found("alarm:device.silent") == [1, 2, 7]
    assert found("alarm:device.fault/fan-2-front-lost") == [2, 9]
    assert found("alarm:device.silent -alarm:device.fault") == [1, 7]
    assert found("alarm:device.hot") == []


@given(st.text(max_size=200))
def test_any_cause_can_be_asked_for(text: str) -> None:
    word = cause_word(text)
    frame = replace(FRAME, find_alarms=lambda: (AlarmMark("device.fault", word, np.array([5])),))
    query = parse(f"alarm:device.fault/{word}")
    assert np.flatnonzero(select(frame, query)).tolist() == [5]


def test_the_help_names_every_field() -> None:
    assert NUMBER_WORDS.keys() == NUMBER_FIELDS.keys()
    for name in WORD_FIELDS:
        assert parse(f"{name}:*").terms[0].field == name


def test_text_is_found_in_serial_and_address() -> None:
    assert rows("SN0000012").tolist() == [12]
    assert rows("10.0.0.13").tolist() == [12]


def test_unknown_values_satisfy_no_comparison() -> None:
    unpowered = FRAME.condition == Condition.UNPOWERED
    assert unpowered.any()
    assert not set(rows("chip>0")) & set(np.flatnonzero(unpowered))
    assert not set(rows("chip<1000")) & set(np.flatnonzero(unpowered))


@pytest.mark.parametrize(
    "text",
    ["colour:red", "state:purple", "weight>3", "state:", '"open', "x" * (MAX_QUERY_CHARS + 1), "a " * 21],
)
def test_what_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        query = parse(text)
    except BesError:
        return
    assert select(FRAME, query).shape == (300,)
    assert parse(str(query)) == query


@pytest.mark.parametrize("text", [r"'\'", "'a b'", "''", '"\'"', "-'x y'"])
def test_what_needs_quotes_is_read_back(text: str) -> None:
    query = parse(text)
    assert len(query.terms) == 1
    assert parse(str(query)) == query


def test_every_condition_counts_each_miner_once() -> None:
    assert sum(FRAME.condition_counts.values()) == len(FRAME)
    for condition, count in FRAME.condition_counts.items():
        assert page(FRAME, f"state:{condition.word}").total == count


@pytest.mark.parametrize("name", SORTABLE)
def test_every_order_is_a_permutation_and_reverses(name: str) -> None:
    for sort in (name, f"-{name}"):
        assert sorted(order_of(FRAME, sort).tolist()) == list(range(300))


def test_numbers_sort_with_the_unknown_last() -> None:
    for sort in ("power_w", "-power_w"):
        ordered = FRAME.power_w[order_of(FRAME, sort)]
        known = ordered[~np.isnan(ordered)]
        assert np.isnan(ordered[len(known) :]).all()
        assert (np.diff(known) >= 0).all() if sort == "power_w" else (np.diff(known) <= 0).all()


def test_pages_cut_the_same_order_without_gap() -> None:
    whole = page(FRAME, "chip>0", sort="-chip_temp_c", limit=MAX_PAGE)
    parts = [
        row
        for start in range(0, whole.total, 70)
        for row in page(FRAME, "chip>0", sort="-chip_temp_c", offset=start, limit=70).rows
    ]
    assert [row.device_id for row in parts] == [row.device_id for row in whole.rows]
    assert set(matching_ids(FRAME, "chip>0")) == {row.device_id for row in whole.rows}


@pytest.mark.parametrize(("offset", "limit"), [(-1, 10), (0, MAX_PAGE + 1)])
def test_pages_have_bounds(offset: int, limit: int) -> None:
    with pytest.raises(Malformed):
        page(FRAME, "", offset=offset, limit=limit)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(Malformed, match="cannot sort by 'colour'"):
        page(FRAME, "", sort="colour")


def test_what_is_not_known_is_null() -> None:
    row = page(FRAME, "state:unpowered").rows[0]
    assert row.power_w is None
    assert row.hashrate_ths is None
