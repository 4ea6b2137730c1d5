"""Nodes as they last spoke, and the journal as a search shows it."""

import pytest

from controller.views.command import CommandRequest, Selection
from shared.actions import Pool, SetPools
from shared.errors import NotFound
from shared.states import ClockQuality
from shared.wire.telemetry import HostSample, TelemetryBatch
from tests.controller.operations.conftest import ANNA, MINERS, SITE, LiveSite


def test_a_connected_node_shows_its_own_health(live: LiveSite):
    (node,) = live.ports.nodes.nodes(SITE)
    assert (node.id, node.role, node.software, node.connected) == ("edge-1", "site", "0.1.0", True)
    assert (node.backlog_rows, node.backlog_oldest_s, node.cpu_pct) == (3, 1.5, 11.0)
    assert (node.clock_quality, node.clock_error_ms) == (ClockQuality.SYNCHRONISED, 1.8)
    assert (node.devices_up, node.devices_known) == (58, 60)


def host_says(live: LiveSite, *, monotonic_s: float, at_ms: int, rows: int, boot_id: str = "b", clock: int = 1) -> None:
    host = HostSample(at_ms, 11.0, 40.0, 47.0, 8_000.0, rows, 1.5, 3.0, 2.0, 120.0, 58, 60, clock, 1.8)
    batch = TelemetryBatch(sampled_at_ms=at_ms, monotonic_s=monotonic_s, boot_id=boot_id, host=host)
    live.live.hosts.apply(SITE, "edge-1", batch)


def backlog(live: LiveSite) -> int | None:
    (node,) = live.ports.nodes.nodes(SITE)
    return node.backlog_rows


def test_a_clock_that_steps_back_does_not_freeze_what_a_node_says_of_itself(live: LiveSite):
    now_ms = live.clock.ms
    host_says(live, monotonic_s=2e9, at_ms=now_ms, rows=7)
    assert backlog(live) == 7
    host_says(live, monotonic_s=2e9 + 1, at_ms=now_ms - 3_600_000, rows=8)
    assert backlog(live) == 8
    host_says(live, monotonic_s=2e9 - 60, at_ms=now_ms - 60_000, rows=1)  # older, out of the spool
    assert backlog(live) == 8


def test_the_spool_of_an_earlier_life_does_not_speak_for_the_present_one(live: LiveSite):
    host_says(live, monotonic_s=1.0, at_ms=live.clock.ms, rows=7)
    host_says(live, monotonic_s=9e9, at_ms=live.clock.ms + 1_000, rows=900, boot_id="before")
    assert backlog(live) != 900
    for number in range(10):
        host_says(live, monotonic_s=1.0, at_ms=0, rows=900, boot_id=f"life-{number}")
        host_says(live, monotonic_s=2e9 + number, at_ms=live.clock.ms, rows=number)
    assert backlog(live) == 9


def test_a_clock_quality_of_a_newer_agent_is_unknown(live: LiveSite):
    host_says(live, monotonic_s=2e9, at_ms=live.clock.ms, rows=7, clock=99)
    (node,) = live.ports.nodes.nodes(SITE)
    assert node.clock_quality is ClockQuality.UNKNOWN


def test_a_node_that_is_gone_claims_nothing(live: LiveSite):
    live.clock.ms += 15_001
    (node,) = live.ports.nodes.nodes(SITE)
    assert (node.connected, node.backlog_rows, node.cpu_pct, node.clock_quality) == (False, None, None, 0)
    assert node.last_contact_ms == live.clock.ms - 15_001


async def test_before_its_first_sample_a_node_shows_its_hello(live: LiveSite):
    live.wire()
    live.configure()
    (node,) = live.ports.nodes.nodes(SITE)
    assert (node.backlog_rows, node.backlog_oldest_s, node.cpu_pct) == (4, 3.0, None)
    with pytest.raises(NotFound):
        live.ports.nodes.nodes("nowhere")


async def test_the_journal_is_paged_newest_first(live: LiveSite):
    for number in range(5):
        await live.raise_alarms(MINERS[number])
        await live.desk.acknowledge(f"{SITE}:device.silent:{MINERS[number]}", by="anna")
    first = await live.ports.journal.search("", limit=3)
    assert [entry.seq for entry in first.entries] == [5, 4, 3]
    assert first.before == 3
    rest = await live.ports.journal.search("", before=first.before, limit=3)
    assert ([entry.seq for entry in rest.entries], rest.before) == ([2, 1], None)
    (found,) = (await live.ports.journal.search(MINERS[2])).entries
    assert (found.kind, found.actor) == ("AlarmAcknowledged", "anna")
    assert found.text == f"alarm_id: {SITE}:device.silent:{MINERS[2]}"
    assert len(found.hash) == 64
    assert (await live.ports.journal.search("nothing like it")).entries == ()


async def test_the_journal_shows_no_passwords(live: LiveSite):
    pools = SetPools(pools=(Pool("stratum+tcp://pool.example:3333", "u", "hunter2"),))
    only = Selection(device_ids=(MINERS[0],))
    request = CommandRequest(site=SITE, action=pools, selection=only, reason="new pool", confirm="1")
    await live.ports.commands.issue(request, ANNA)
    (asked,) = (await live.ports.journal.search("new pool")).entries
    assert (asked.kind, asked.actor) == ("CommandRequested", "anna")
    assert "reason: new pool; " in asked.text
    assert "orders: 1" in asked.text
    assert "hunter2" not in asked.text
    assert "session" not in asked.text
