"""Whatever a device sends, a decoder answers with a reading or with an error of the device."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.site.devices.reading import MinerReading
from agent.site.drivers.miners.antminer.conf import has_pools, require_complete, same_pools, stored_mode, with_mode
from agent.site.drivers.miners.antminer.decode import boards, pool_urls, put_stats, put_summary, web_faults
from agent.site.drivers.miners.axeos import decode as axeos
from agent.site.drivers.miners.sheet import miner_sheet
from agent.site.drivers.miners.state import Signs, UnitCheck, op_state
from agent.site.drivers.miners.whatsminer import decode as whatsminer
from shared.actions import Pool
from shared.errors import DeviceError
from shared.quality import MAX_PACKED_FIELDS, quality_at
from shared.wire.telemetry import MINER_FIELDS

REPLIES = Path(__file__).parent / "replies"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["", "0-0-0-0", "75-", "-", "1e400", "nan", "true", "73-45-64-65", -1, 0, 2**63, 1e300])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


def antminer(reply):
    sheet = miner_sheet()
    put_summary(sheet, reply)
    put_stats(sheet, reply)
    return sheet, boards(reply), web_faults(reply), pool_urls(reply), pool_urls(reply, "pools", "url")


def whatsminer_machine(reply):
    sheet = miner_sheet()
    row = next(iter(reply.get("SUMMARY", [])), {})
    whatsminer.put_summary(sheet, row)
    faults = whatsminer.faults(reply) + whatsminer.summary_faults(row)
    return sheet, whatsminer.boards(reply), faults, whatsminer.pools(reply), whatsminer.is_off(reply)


def axeos_device(reply):
    sheet = miner_sheet()
    axeos.put_info(sheet, reply)
    return sheet, axeos.board_of(reply).board(0), axeos.signs(reply), axeos.faults(reply), axeos.pools(reply)


def _known(*names):
    """Every object of these replies, by the section that it stands in."""
    merged = {}
    for name in names:
        merged |= json.loads((REPLIES / f"{name}.json").read_text())
    return merged


CASES = {
    "antminer": (antminer, _known("antminer_summary", "antminer_stats", "antminer_pools", "antminer_conf")),
    "whatsminer": (
        whatsminer_machine,
        _known("whatsminer_summary", "whatsminer_devs", "whatsminer_get_error_code", "whatsminer_pools"),
    ),
    "axeos": (axeos_device, _known("axeos_info")),
}


def _places(value, path=()):
    """The path of each value in a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _replaced(value, path, new):
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _replaced(copy[key], rest, new) if rest else new
    return copy


@pytest.mark.parametrize("family", CASES)
@settings(max_examples=150)
@given(data=st.data())
def test_any_value_anywhere(family, data):
    decode, reply = CASES[family]
    places = list(_places(reply))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(places))
        try:
            reply = _replaced(reply, path, data.draw(VALUES))
        except (KeyError, IndexError, TypeError, ValueError):
            continue  # an earlier replacement has taken this place away
    if family == "whatsminer" and not isinstance(reply.get("SUMMARY"), list):
        return
    if family == "whatsminer":
        reply["SUMMARY"] = [row for row in reply["SUMMARY"] if isinstance(row, dict)]
    try:
        sheet, *_ = decode(reply)
    except DeviceError:
        return
    activity = UnitCheck(300.0).judge(sheet)
    reading = sheet.miner(op_state=op_state(activity, sheet, Signs(), 300.0))
    assert isinstance(reading, MinerReading)
    assert len(MINER_FIELDS) <= MAX_PACKED_FIELDS
    for index, name in enumerate(MINER_FIELDS):
        assert (getattr(reading, name) is None) == (quality_at(reading.quality, index) == 0)


@settings(max_examples=200)
@given(data=st.data())
def test_a_configuration_is_complete_or_refused(data):
    document = json.loads((REPLIES / "antminer_conf.json").read_text())
    places = list(_places(document))
    changed = _replaced(document, data.draw(st.sampled_from(places)), data.draw(VALUES))
    try:
        require_complete(changed)
    except DeviceError:
        return
    assert with_mode(changed, ("miner-mode",), 1, as_text=True)["pools"] == changed["pools"]
    stored_mode(changed)
    has_pools(changed)
    same_pools(changed, (Pool("a", "b"),))
