"""Every night the controller forgets what is old, and nothing else."""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from controller.clockwork import Clockwork
from controller.fleet import Notice, RecordIdentity
from controller.fleet.alarm import Alarm, AlarmPhase
from controller.fleet.ports import FleetChange
from controller.ingest import Group, InboxItem, Refused, Rejection
from controller.journal import Commit, SideEffect
from controller.people.model import Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.retention import Retention, Stores
from controller.settings import Keep
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.storage.sqlite.people import SqlitePeople
from controller.storage.sqlite.relations import SqliteRelations
from controller.storage.sqlite.relations_event import SqliteEvents
from controller.storage.sqlite.relations_upkeep import RelationsUpkeep
from controller.storage.sqlite.telemetry_reader import TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from controller.storage.sqlite.telemetry_upkeep import TelemetryUpkeep
from shared.clock import SystemClock
from shared.errors import StorageFull

DAY_MS = 86_400_000
NOW_MS = SystemClock().now_ms()
KEEP = Keep(notice_days=10, alarm_days=20, quarantine_days=30, outbox_days=40, handled_days=5)


class HandClock:
    ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


@pytest.fixture
async def kept(tmp_path):
    """All stores, and the job over them."""
    clock = HandClock()
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        relations = await open_(SqliteRelations(tmp_path / "controller.db"))
        events = await open_(SqliteEvents(tmp_path / "controller.db"))
        telemetry = await open_(SqliteTelemetry(tmp_path / "telemetry.db", clock))
        journal = await open_(SqliteJournal(tmp_path / "journal.db"))
        people_file = await open_(SqlitePeople(tmp_path / "people.db"))
        people = People(people_file, clock, passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
        upkeep, outbox = TelemetryUpkeep(telemetry), SqliteOutbox(journal)
        job = Retention(Stores(RelationsUpkeep(relations), upkeep, outbox, people), KEEP, clock)
        yield SimpleNamespace(
            clock=clock,
            relations=relations,
            events=events,
            telemetry=telemetry,
            journal=journal,
            people=people,
            people_file=people_file,
            outbox=outbox,
            job=job,
        )


def notice(at_ms: int) -> Notice:
    return Notice(site="north", node="n1", at_ms=at_ms, code="c", subject="s", text="t")


def alarm(subject: str, raised_at_ms: int, cleared_at_ms: int | None, seen_at_ms: int | None) -> Alarm:
    return Alarm(
        site="north",
        code="c",
        subject=subject,
        node="n1",
        priority=2,
        text="t",
        raised_at_ms=raised_at_ms,
        last_at_ms=raised_at_ms,
        cleared_at_ms=cleared_at_ms,
        acknowledged_at_ms=seen_at_ms,
    )


async def test_old_notices_go(kept):
    await kept.relations.apply(FleetChange(notices=(notice(NOW_MS - 11 * DAY_MS), notice(NOW_MS - 9 * DAY_MS))))
    assert (await kept.job.run())["notices"] == 1
    assert [left.at_ms for _, left in await kept.events.notices("north", 0, (NOW_MS, 0), 10)] == [NOW_MS - 9 * DAY_MS]


async def test_alarms_go_by_when_they_were_closed_and_standing_ones_stay(kept):
    long_ago, lately = NOW_MS - 400 * DAY_MS, NOW_MS - 19 * DAY_MS
    alarms = (
        alarm("closed long ago", long_ago, long_ago, NOW_MS - 21 * DAY_MS),
        alarm("seen lately", long_ago, long_ago, lately),
        alarm("over lately", long_ago, lately, long_ago),
        alarm("never seen", long_ago, long_ago, None),
        alarm("still on", long_ago, None, long_ago),
    )
    await kept.relations.apply(FleetChange(alarms=alarms))
    assert (await kept.job.run())["alarms"] == 1
    left = {alarm.subject: alarm.phase for alarm in await kept.events.alarms("north", 0, (NOW_MS, ""), 10)}
    assert {subject for subject, phase in left.items() if phase is AlarmPhase.CLOSED} == {"seen lately", "over lately"}
    assert set(left) == {"seen lately", "over lately", "never seen", "still on"}


async def test_marks_of_handled_records_go_when_no_record_can_come_again(kept):
    source = ("north", "n1", RecordIdentity("e", 1))
    assert await kept.relations.apply(FleetChange(), source)
    assert (await kept.job.run())["handled"] == 0
    assert not await kept.relations.apply(FleetChange(), source)
    kept.clock.ms = NOW_MS + 6 * DAY_MS  # the mark bears the time of its insert, long after this file was imported
    assert (await kept.job.run())["handled"] == 1
    assert await kept.relations.apply(FleetChange(), source)


async def test_quarantine_goes_whether_a_frame_or_a_record(kept):
    rejection = Rejection("topic", "wire.decode-failed", "d", b"x")
    for at_ms in (NOW_MS - 31 * DAY_MS, NOW_MS - 29 * DAY_MS):
        kept.telemetry.store(Group([], [], [rejection]), at_ms)
    kept.clock.ms = NOW_MS - 31 * DAY_MS
    item = InboxItem(1, 2, "north", "n1", "e", 7, b"body")
    await kept.telemetry.inbox_refused(item, Refused("bes.error", "bug", again=False))
    kept.clock.ms = NOW_MS
    assert (await kept.job.run())["quarantine"] == 2
    assert [row.at_ms for row in await TelemetryReader(kept.telemetry).quarantine()] == [NOW_MS - 29 * DAY_MS]


async def test_settled_effects_go_and_open_ones_stay(kept):
    effects = tuple(SideEffect(key, "mail", "lane", b"p") for key in ("old", "new", "open"))
    await kept.journal.commit(Commit(effects=effects), NOW_MS - 50 * DAY_MS)
    await kept.journal.commit(Commit(settles=(1,)), NOW_MS - 41 * DAY_MS)
    await kept.journal.commit(Commit(settles=(2,)), NOW_MS - 39 * DAY_MS)
    assert (await kept.job.run())["outbox"] == 1
    rows = await kept.journal.rows("SELECT effect_key FROM outbox ORDER BY entry_id")
    assert rows == [("new",), ("open",)]
    assert [entry.key for entry in await kept.outbox.take("mail", NOW_MS, 10)] == ["open"]


async def test_expired_sessions_go(kept):
    await kept.people.add_user("anna", "correct horse battery", Role.VIEWER)
    await kept.people.sign_in("anna", "correct horse battery", "here")
    assert (await kept.job.run())["sessions"] == 0
    kept.clock.ms += DAY_MS
    assert (await kept.job.run())["sessions"] == 1
    assert await kept.people_file.sessions() == ()


async def test_one_kind_that_fails_does_not_keep_the_others(kept, monkeypatch):
    async def full(*_args):
        raise StorageFull("no room")

    monkeypatch.setattr(kept.outbox, "forget_settled", full)
    job = Retention(
        Stores(RelationsUpkeep(kept.relations), TelemetryUpkeep(kept.telemetry), kept.outbox, kept.people),
        KEEP,
        kept.clock,
    )
    assert set(await job.run()) == {"handled", "notices", "alarms", "quarantine", "sessions"}


async def test_it_runs_once_a_night():
    clockwork = Clockwork()
    clockwork.nightly(3, "retention", lambda: asyncio.sleep(0))
    clockwork.start()
    (job,) = clockwork._scheduler.get_jobs()
    first = job.next_run_time
    second = job.trigger.get_next_fire_time(first, first)
    clockwork.stop()
    assert (first.hour, first.minute, first.utcoffset().total_seconds()) == (3, 0, 0)
    assert (second - first).total_seconds() == 86_400
