"""What the journal says of orders against what the simulated machines really did."""

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.chaos_match import APPLIED_WITHIN_MS, Matter, Name, Taken, match
from controller.commands.event import (
    CommandDropped,
    CommandIssued,
    CommandRequested,
    OutcomesRecorded,
    PartAbandoned,
    PartResent,
    codec,
)
from controller.commands.seal import wire_id
from controller.journal import RecordedEvent
from shared.actions import VERBS
from shared.states import TERMINAL, OutcomeState
from shared.wire.codec import decode
from shared.wire.command import Order

_BUSY_S = 5.0
_ONCE = frozenset(verb for verb, action in VERBS.items() if not action.repeatable)
_ANSWERED = TERMINAL | {OutcomeState.ACKNOWLEDGED}
_DYING_MS = 1_000  # what a killed agent has sent may still be read
_SURE = frozenset({OutcomeState.ACKNOWLEDGED, OutcomeState.CONFIRMED})


class Issued(msgspec.Struct):
    """One order of the journal and the words that were heard of it."""

    wire_id: str
    matter: Matter
    deadline_ms: int
    heard: set[str]
    ended: bool = False
    answered_ms: int | None = None

    @property
    def name(self) -> Name:
        return self.wire_id, self.matter


class Execution(NamedTuple):
    """`doubled` executions are explained by no order that was issued and taken once. `crowded` orders could have been
    carried out at the same time as another one of their kind, so that one which never ran could hide a double.

    `false_confirmed` are restarts and reboots that were confirmed and never carried out; `found_so` are other orders
    like that, whose wanted state was there anyway. `unissued` were taken by the agent and not issued, or taken twice.
    """

    commands: int
    orders: int
    reached: int
    resent: int
    executed: int
    doubled: int
    crowded: int
    unissued: int
    false_confirmed: int
    found_so: int
    unended: int
    still_open: int
    outcomes: dict[str, int]
    offenders: dict[str, str]


def issued_orders(events: Iterable[RecordedEvent]) -> list[Issued]:
    """Every order that left the controller, folded by nothing of the product."""
    lines: dict[str, CommandRequested] = {}
    parts: dict[tuple[str, int], list[Issued]] = {}
    for event in events:
        match fact := codec.decode(event):
            case CommandRequested():
                lines[fact.command_id] = fact
            case CommandIssued():
                for part in fact.parts:
                    wanted = [lines[fact.command_id].orders[place] for place in part.orders]
                    name = wire_id(fact.command_id, part.number)
                    parts[fact.command_id, part.number] = [
                        Issued(name, (line.device_id, line.action.verb), part.deadline_ms, set()) for line in wanted
                    ]
            case OutcomesRecorded() | PartAbandoned():
                _hear(parts.get((fact.command_id, fact.part), []), fact)
            case CommandDropped():
                lines.pop(fact.command_id)
    return [order for orders in parts.values() for order in orders]


def _hear(orders: list[Issued], fact: OutcomesRecorded | PartAbandoned) -> None:
    if isinstance(fact, PartAbandoned):
        for order in orders:
            order.ended = True
        return
    for row in fact.rows:
        for order in orders:
            if not row.device_id or order.matter == (row.device_id, row.verb):
                order.heard.add(row.state)
                order.ended |= row.state in TERMINAL
                if row.state in _ANSWERED:
                    order.answered_ms = min(row.at_ms, order.answered_ms or row.at_ms)


def resent_parts(events: Iterable[RecordedEvent]) -> int:
    """How often the same bytes went out once more."""
    return sum(isinstance(codec.decode(event), PartResent) for event in events)


def reached_orders(ledger: Path) -> list[Taken]:
    """What the agent took on, from its own file."""
    query = "SELECT command_id, key_id, accepted_at_ms, body FROM orders JOIN commands USING (command_id)"
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as database:
        rows = database.execute(query).fetchall()
    return [
        Taken((name, _matter(decode(body, Order))), not key, at_ms, at_ms + APPLIED_WITHIN_MS)
        for name, key, at_ms, body in rows
    ]


def narrowed(reached: Iterable[Taken], issued: Iterable[Issued], kills_ms: Sequence[int]) -> list[Taken]:
    """The same with the time in which each can have been carried out: until the agent said what came of it, or until it
    was killed, since no later life carries out what it finds.
    """
    answered = {order.name: order.answered_ms for order in issued}
    kills = sorted(kills_ms)
    found = []
    for order in reached:
        ends = [order.until_ms, answered.get(order.name), *(kill + _DYING_MS for kill in _next(kills, order.at_ms))]
        found.append(order._replace(until_ms=min(end for end in ends if end is not None)))
    return found


def judge(
    issued: list[Issued], reached: list[Taken], done: Mapping[Matter, Sequence[int]], *, resent: int, now_ms: int
) -> Execution:
    """`done` has the time of every execution as the machines logged it. Each must belong to an order of its own, which
    was issued and taken once, could be carried out at that time, and was not refused.
    """
    words = {order.name: order.heard for order in issued}
    able = [order for order in reached if order.local or OutcomeState.REFUSED not in words.get(order.name, ())]
    sure = {name for name, heard in words.items() if not heard.isdisjoint(_SURE)}
    found = match((order for order in able if order.local or order.name in words), done, sure)
    confirmed = [order.name for order in issued if OutcomeState.CONFIRMED in order.heard and _is_machine(order.matter)]
    unseen = Counter(matter for name, matter in confirmed if (name, matter) not in found.carried_out)
    false = Counter({matter: count for matter, count in unseen.items() if matter[1] in _ONCE})
    names = Counter(order.name for order in reached if not order.local)
    open_orders = [order for order in issued if not order.ended]
    overdue = [order for order in open_orders if order.deadline_ms < now_ms]
    return Execution(
        commands=len({order.wire_id.partition(".")[0] for order in issued}),
        orders=len(issued),
        reached=len(reached),
        resent=resent,
        executed=sum(map(len, done.values())),
        doubled=sum(found.strange.values()),
        crowded=found.crowded,
        unissued=sum(count - (name in words) for name, count in names.items()),
        false_confirmed=false.total(),
        found_so=unseen.total() - false.total(),
        unended=len(overdue),
        still_open=len(open_orders) - len(overdue),
        outcomes=dict(Counter(_end(order) for order in issued)),
        offenders=_named(Counter(found.strange), "doubled") | _named(false, "false_confirmed"),
    )


def _next(sorted_ms: Sequence[int], after_ms: int) -> Sequence[int]:
    place = bisect_left(sorted_ms, after_ms)
    return sorted_ms[place : place + 1]


def _is_machine(matter: Matter) -> bool:
    """PDUs keep no log."""
    return matter[0].startswith("m-")


def _matter(order: Order) -> Matter:
    return order.device_id, order.action.verb


def _end(order: Issued) -> str:
    ends = sorted(order.heard & TERMINAL)
    return ends[0] if ends else "silent" if order.ended else "open"


def _named(matters: Counter[Matter], fault: str) -> dict[str, str]:
    return {f"{device} {verb}": f"{fault} by {count}" for (device, verb), count in matters.most_common(5)}
