"""What the parts of a page say, from the views of a site whose truth is known."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.console.feed import Feed, Key
from controller.console.topics import all_topics
from controller.console.topics.alarm import _touched
from controller.console.topics.dispatch import decision_lines
from controller.console.visit import query_of
from controller.views.alarm import AlarmView
from controller.views.ports import Operations
from shared.clock import SystemClock
from tests.controller.console.fake_fleet import SITE
from tests.controller.console.fake_site import operations

FIRST = "m-02de00000000"


@pytest.fixture
def site(tmp_path: Path) -> Operations:
    return operations(SystemClock(), 200, switches=tmp_path)


async def content(site: Operations, topic: str, subject: str = "") -> Mapping[str, Any]:
    return (await Feed(site.clock, all_topics(site)).newest(Key(topic, SITE, subject))).content


async def test_a_site_of_which_one_agent_is_heard_is_not_silent(site: Operations) -> None:
    shell = await content(site, "shell")
    assert (shell["silent"], shell["badges"]["nodes"]) == (None, "1 silent")


async def test_a_site_that_nobody_hears_says_since_when_and_what_to_do(site: Operations, tmp_path: Path) -> None:
    (tmp_path / "silent").touch()
    silent = (await content(site, "shell"))["silent"]
    assert silent["text"].startswith("Nothing heard for 6\u00a0min 12\u00a0s from edge-1, edge-2.")
    assert "bes doctor" in silent["mend"]
    row = (await content(site, "sites"))["rows"][0]
    assert (row["quiet"], row["cells"][-1]["mark"]) == (True, 2)


async def test_a_miner_shows_the_alarms_that_touch_it_and_no_others(site: Operations) -> None:
    touched = await content(site, "miner-alarms", FIRST)
    assert [row["id"] for row in touched["rows"]] == ["a-4"]
    rows = site.fleet.frame(SITE).alarms[0].rows
    spared = next(row for row in range(200) if row not in rows)
    device_id = site.fleet.frame(SITE).layout.device_id[spared]
    assert (await content(site, "miner-alarms", device_id))["rows"] == []


@pytest.mark.parametrize(
    ("members", "miners", "text"),
    [(136, 136, "136 miners"), (1, 1, "1 miner"), (54, 53, "53 miners and 1 other"), (2, 0, "2 devices")],
)
def test_a_link_counts_what_it_lists(members: int, miners: int, text: str) -> None:
    alarm = AlarmView(
        id="a", site=SITE, priority=3, code="device.fault", subject="x", text="t", action="a", raised_at_ms=0,
        members=members, miners=miners,
    )  # fmt: skip
    assert _touched(alarm).replace("\u00a0", " ") == text


def test_a_decision_says_its_age_and_what_binds(site: Operations) -> None:
    decision = site.dispatch.decision(SITE)
    assert decision is not None
    lines = decision_lines(msgspec.structs.replace(decision, at_ms=0), 90_000)
    assert "Decided 1\u00a0min 30\u00a0s ago" in lines[0]
    assert lines[-1].startswith("Binds: feeder C03 at its limit; one more MWh there is worth 41.20")


async def test_a_silent_miner_is_drawn_as_old(site: Operations) -> None:
    frame = site.fleet.frame(SITE)
    words = {device: (await content(site, "miner", device))["stale"] for device in frame.layout.device_id[:60]}
    unseen = {device for device in words if (frame.condition[frame.layout.row_of[device]]) >= 8}
    assert {device for device, stale in words.items() if stale} == unseen
    assert unseen


def test_the_last_of_two_parameters_counts() -> None:
    assert query_of("/site/x/miners?q=a&q=state%3Ahot+b&sort=-power_w") == {"q": "state:hot b", "sort": "-power_w"}
