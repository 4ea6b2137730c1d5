"""The oracle of the kill run: it must catch each kind of loss, doubling and lie that it promises to count."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing

import msgspec
import pytest

from agent.spool import Spool, machine_id
from benchmarks.chaos_books import Books, compare
from benchmarks.chaos_door import issued_orders, judge, narrowed, resent_parts
from benchmarks.chaos_match import APPLIED_WITHIN_MS, Taken, match
from benchmarks.chaos_witness import FILE, Acceptance, Accepted, acceptance, accepted_seq, install
from controller.commands.event import (
    CommandIssued,
    CommandRequested,
    IssuedPart,
    OutcomesRecorded,
    PartAbandoned,
    PartResent,
    PartSent,
)
from controller.commands.model import Confirmation, OrderLine, Origin, Reach
from controller.journal import RecordedEvent
from shared.actions import Restart, Sleep
from shared.errors import Corrupt
from shared.wire.command import OutcomeRow
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind

EPOCH = "e"
TELEMETRY, RESULT, EVENT = (
    Accepted(RecordKind.TELEMETRY, 5),
    Accepted(RecordKind.RESULT, 2),
    Accepted(RecordKind.EVENT, 1),
)
WHOLE = {1: TELEMETRY, 2: RESULT, 3: EVENT}
DEADLINE_MS = 1_000


def verdict(*, waiting=(), samples=None, results=None, mark=3, gaps=(), inbox=(), repeated=0):
    accepted = Acceptance(EPOCH, WHOLE, frozenset(waiting), 0, 0)
    stored = Counter({1: 5}) if samples is None else Counter(samples)
    books = Books(stored, [(1, mark)], list(gaps), frozenset(inbox), repeated)
    return compare(accepted, books, Counter({2: 2}) if results is None else Counter(results))


def test_a_whole_store_is_whole():
    found = verdict()
    assert (found.records, found.accepted) == (3, 8)
    assert (found.lost, found.duplicates, found.gapped, found.waiting, found.unaccepted) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "name", "rows"),
    [
        ({"samples": {}}, "lost", 5),
        ({"samples": {1: 4}}, "lost", 1),  # the mark claims a record of which a row is missing
        ({"results": {}}, "lost", 2),
        ({"mark": 2}, "lost", 1),
        ({"samples": {1: 10}}, "duplicates", 5),
        ({"results": {2: 4}}, "duplicates", 2),
        ({"repeated": 3}, "duplicates", 3),
        ({"samples": {}, "gaps": [(1, 1)]}, "gapped", 5),
        ({"samples": {}, "waiting": [1]}, "waiting", 5),
        ({"samples": {1: 5, 9: 5}}, "unaccepted", 1),
    ],
)
def test_every_fault_of_the_lane_is_counted_once_and_under_its_name(change, name, rows):
    found = verdict(**change)
    faults = {key: getattr(found, key) for key in ("lost", "duplicates", "gapped", "waiting", "unaccepted")}
    assert {key: count for key, count in faults.items() if count} == {name: rows}


def test_a_result_that_waits_in_the_inbox_is_stored():
    assert verdict(results={}, inbox=[2]).lost == 0


def test_the_witness_keeps_what_the_spool_forgets(tmp_path):
    file = tmp_path / FILE
    install(tmp_path)
    epoch = asyncio.run(append_and_release(tmp_path))
    found = acceptance(file)
    assert found.epoch == epoch
    assert found.records == {1: Accepted(RecordKind.EVENT, 1), 2: Accepted(RecordKind.EVENT, 7)}
    assert (found.waiting, found.renumbered, found.unseen) == (frozenset({2}), 0, 0)
    assert accepted_seq(file) == 2
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO chaos_accepted VALUES (2, 1, 7)")
        connection.execute("DELETE FROM chaos_accepted WHERE seq = 1")
        connection.commit()
    assert (acceptance(file).renumbered, acceptance(file).unseen) == (1, 1)


def test_a_spool_without_its_witness_proves_nothing(tmp_path):
    asyncio.run(append_and_release(tmp_path))
    with pytest.raises(Corrupt, match="set its spool aside"):
        acceptance(tmp_path / FILE)


async def append_and_release(folder):
    """The epoch of a spool of two records, of which the first is gone."""
    spool = Spool(folder, machine_id=machine_id())
    await spool.open()
    for samples in (1, 7):
        await spool.append(RecordKind.EVENT, EventBatch(events=(Event(samples, "test", "a", 0, ""),)), samples)
    await spool.release(spool.epoch, 1)
    await spool.close()
    return spool.epoch


class Log:
    """Events as a journal would hold them."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []

    def tell(self, *facts: msgspec.Struct) -> None:
        for fact in facts:
            name, data = type(fact).__name__, msgspec.json.encode(fact)
            self.events.append(RecordedEvent(len(self.events) + 1, "s", 1, 0, "test", name, data, b"", b""))

    def order(self, command_id: str, device_id: str, action) -> None:
        line = OrderLine(device_id, "n", action, None, 1.0)
        reach = Reach(1, 1, 0)
        request = CommandRequested(
            command_id=command_id,
            site="s",
            origin=Origin.PERSON,
            session="",
            reason="test",
            expires_in_s=1.0,
            orders=(line,),
            reach=reach,
            confirmation=Confirmation.CLICK,
        )
        part = IssuedPart(
            number=1,
            node="n",
            key_id="k",
            counter=1,
            issued_at_ms=0,
            expires_at_ms=0,
            deadline_ms=DEADLINE_MS,
            orders=(0,),
            sealed_sha256="",
        )
        self.tell(request, CommandIssued(command_id, "s", (part,)))

    def outcome(self, command_id: str, device_id: str, verb: str, state: str, at_ms: int = 10_000) -> None:
        rows = (OutcomeRow(device_id, verb, state, at_ms),)
        self.tell(OutcomesRecorded(command_id=command_id, part=1, node="n", epoch=EPOCH, seq=1, rows=rows))


def judged(log: Log, done: dict[str, list[int]], *, reached=(("a", 0),), kills_ms=(), now_ms=0):
    """`done` has the times of m-1's executions by verb, `reached` the ids and times of its orders in the ledger."""
    issued = issued_orders(log.events)
    matters = {order.wire_id: order.matter for order in issued}
    taken = [_taken(name, matters.get(f"{name}.1", ("m-1", "restart")), at_ms) for name, at_ms in reached]
    times = {("m-1", verb): at_ms for verb, at_ms in done.items()}
    taken = narrowed(taken, issued, kills_ms)
    return judge(issued, taken, times, resent=resent_parts(log.events), now_ms=now_ms)


def _taken(name: str, matter: tuple[str, str], at_ms: int) -> Taken:
    return Taken((f"{name}.1", matter), False, at_ms, at_ms + APPLIED_WITHIN_MS)


def test_one_order_carried_out_once_is_as_it_should_be():
    log = Log()
    log.order("a", "m-1", Restart())
    log.tell(PartSent("a", 1), PartResent("a", 1), PartSent("a", 1))
    log.outcome("a", "m-1", "restart", "confirmed")
    found = judged(log, {"restart": [1]})
    assert (found.commands, found.orders, found.executed, found.resent) == (1, 1, 1, 1)
    assert (found.doubled, found.unissued, found.crowded) == (0, 0, 0)
    assert (found.false_confirmed, found.unended, found.still_open) == (0, 0, 0)
    assert found.outcomes == {"confirmed": 1}


def test_an_order_carried_out_twice_is_doubled():
    log = Log()
    log.order("a", "m-1", Restart())
    assert judged(log, {"restart": [1, 2]}).doubled == 1


def test_a_write_that_restarts_a_machine_for_nothing_is_no_part_of_an_order():
    log = Log()
    log.order("a", "m-1", Sleep())
    assert judged(log, {"sleep": [1], "restart": [1]}).doubled == 1


def test_an_order_that_never_ran_hides_no_double_of_another():
    log = Log()
    later_ms = 2 * APPLIED_WITHIN_MS
    for name in ("a", "b"):
        log.order(name, "m-1", Restart())
    found = judged(log, {"restart": [later_ms, later_ms + 1]}, reached=(("a", 0), ("b", later_ms)))
    assert (found.doubled, found.crowded) == (1, 0)


def test_orders_too_close_to_be_told_apart_are_counted():
    log = Log()
    for name in ("a", "b", "c"):
        log.order(name, "m-1", Restart())
    reached = (("a", 0), ("b", APPLIED_WITHIN_MS), ("c", 3 * APPLIED_WITHIN_MS))
    assert judged(log, {}, reached=reached).crowded == 2


def test_an_order_ends_where_it_was_answered_and_so_hides_nothing_later():
    log = Log()
    for name in ("a", "b"):
        log.order(name, "m-1", Restart())
    log.outcome("a", "m-1", "restart", "acknowledged", at_ms=10)
    found = judged(log, {"restart": [12, 13]}, reached=(("a", 0), ("b", 11)))
    assert (found.doubled, found.crowded) == (1, 0)


def test_an_order_dies_with_the_agent_that_had_taken_it():
    log = Log()
    for name in ("a", "b"):
        log.order(name, "m-1", Restart())
    reached, later = (("a", 100), ("b", 5_000)), {"restart": [5_001, 5_002]}
    assert judged(log, later, reached=reached, kills_ms=(50, 90_000)).doubled == 0
    found = judged(log, later, reached=reached, kills_ms=(50, 200, 90_000))
    assert (found.doubled, found.crowded) == (1, 0)


def test_a_confirmed_order_gets_its_execution_before_one_that_nobody_heard_of():
    log = Log()
    for name in ("a", "b"):
        log.order(name, "m-1", Restart())
    log.outcome("b", "m-1", "restart", "confirmed")
    found = judged(log, {"restart": [5]}, reached=(("a", 1), ("b", 2)))
    assert (found.doubled, found.false_confirmed) == (0, 0)


@pytest.mark.parametrize("at_ms", [-1, APPLIED_WITHIN_MS + 1])
def test_an_execution_before_its_order_or_long_after_it_is_not_its_own(at_ms):
    log = Log()
    log.order("a", "m-1", Restart())
    assert judged(log, {"restart": [at_ms]}).doubled == 1


@pytest.mark.parametrize("first", ["a", "b"])
def test_each_execution_is_explained_where_that_is_possible(first):
    """The earlier time fits both orders, the later one only b; it does not matter which of the two is served first."""
    matter = ("m-1", "restart")
    orders = [_taken(name, matter, at_ms) for name, at_ms in (("a", 0), ("b", 10))]
    found = match(orders, {matter: [11, APPLIED_WITHIN_MS + 5]}, {(f"{first}.1", matter)})
    assert len(found.carried_out) == 2
    assert not found.strange


@pytest.mark.parametrize("reached", [(("a", 0), ("a", 1)), (("a", 0), ("stranger", 0))])
def test_what_was_taken_twice_or_never_issued_is_counted(reached):
    log = Log()
    log.order("a", "m-1", Restart())
    assert judged(log, {}, reached=reached).unissued == 1


@pytest.mark.parametrize(("reached", "outcome"), [((), "unknown"), ((("a", 0),), "refused")])
def test_what_never_arrived_or_was_refused_may_not_be_carried_out(reached, outcome):
    log = Log()
    log.order("a", "m-1", Restart())
    log.outcome("a", "m-1", "restart", outcome)
    assert judged(log, {"restart": [1]}, reached=reached).doubled == 1


def test_a_restart_that_never_was_cannot_be_confirmed():
    log = Log()
    log.order("a", "m-1", Restart())
    log.outcome("a", "m-1", "restart", "confirmed")
    found = judged(log, {})
    assert (found.false_confirmed, found.found_so) == (1, 0)


def test_a_machine_that_slept_anyway_is_found_so():
    log = Log()
    log.order("a", "m-1", Sleep())
    log.outcome("a", "m-1", "sleep", "confirmed")
    found = judged(log, {})
    assert (found.false_confirmed, found.found_so) == (0, 1)


def test_an_order_without_an_end_is_open_until_its_deadline_and_unended_after_it():
    log = Log()
    log.order("a", "m-1", Sleep())
    log.outcome("a", "m-1", "sleep", "acknowledged")
    assert (judged(log, {}).still_open, judged(log, {}).unended) == (1, 0)
    late = judged(log, {}, now_ms=DEADLINE_MS + 1)
    assert (late.still_open, late.unended) == (0, 1)
    log.tell(PartAbandoned("a", 1, "silent", ""))
    assert judged(log, {}, now_ms=DEADLINE_MS + 1).outcomes == {"silent": 1}
