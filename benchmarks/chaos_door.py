"""What the journal says of orders against what the simulated machines really did."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from controller.commands.event import (
    CommandDropped,
    CommandIssued,
    CommandRequested,
    OutcomesRecorded,
    PartAbandoned,
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
_BY_REWRITING = ("sleep", "wake")
"""An Antminer gets a mode by a new configuration. Builds differ in the mode's key, so it may take two writes, and one
under the wrong key restarts the mining process: a `restart` that nobody can order of this family.
"""
Matter = tuple[str, str]
"""Device id and verb."""


class Issued(msgspec.Struct):
    """One order of the journal and the words that were heard of it."""

    wire_id: str
    matter: Matter
    deadline_ms: int
    heard: set[str]
    ended: bool = False


class Execution(NamedTuple):
    """`doubled` orders were carried out more than once. `false_confirmed` are restarts and reboots that were confirmed
    and never carried out; `found_so` are other orders like that, whose wanted state was there anyway.
    """

    commands: int
    orders: int
    reached: int
    executed: int
    doubled: int
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


def reached_orders(ledger: Path) -> list[tuple[str, bool, Matter]]:
    """What the agent took on: (wire id, was it local, matter), from its own file."""
    query = "SELECT command_id, key_id, body FROM orders JOIN commands USING (command_id)"
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as database:
        rows = database.execute(query).fetchall()
    found = []
    for name, key, body in rows:
        order = decode(body, Order)
        found.append((name, not key, (order.device_id, order.action.verb)))
    return found


def judge(
    issued: list[Issued],
    reached: list[tuple[str, bool, Matter]],
    truth: dict[str, dict[str, int]],
    *,
    rewritten: Collection[str],
    now_ms: int,
) -> Execution:
    """`truth` counts what each machine carried out, by device and verb; `rewritten` are the Antminers.

    A machine may have carried out a verb as often as an order of it reached the agent and was not refused.
    """
    done = Counter({(device, verb): count for device, verbs in truth.items() for verb, count in verbs.items()})
    arrived = {(name, matter) for name, _, matter in reached}
    allowed = Counter(matter for _, local, matter in reached if local)
    confirmed: Counter[Matter] = Counter()
    for order in issued:
        if (order.wire_id, order.matter) in arrived and OutcomeState.REFUSED not in order.heard:
            allowed[order.matter] += 1
        confirmed[order.matter] += OutcomeState.CONFIRMED in order.heard
    for device in rewritten:
        allowed[device, "restart"] += sum(allowed[device, verb] for verb in _BY_REWRITING)
    machines = {device for device, _ in done} | {device for device, _ in allowed if device.startswith("m-")}
    doubled, unseen = done - allowed, Counter({m: n for m, n in (confirmed - done).items() if m[0] in machines})
    false = Counter({matter: count for matter, count in unseen.items() if matter[1] in _ONCE})
    open_orders = [order for order in issued if not order.ended]
    overdue = [order for order in open_orders if order.deadline_ms < now_ms]
    return Execution(
        commands=len({order.wire_id.partition(".")[0] for order in issued}),
        orders=len(issued),
        reached=len(reached),
        executed=done.total(),
        doubled=doubled.total(),
        false_confirmed=false.total(),
        found_so=unseen.total() - false.total(),
        unended=len(overdue),
        still_open=len(open_orders) - len(overdue),
        outcomes=dict(Counter(_end(order) for order in issued)),
        offenders=_named(doubled, "doubled") | _named(false, "false_confirmed"),
    )


def _end(order: Issued) -> str:
    ends = sorted(order.heard & TERMINAL)
    return ends[0] if ends else "silent" if order.ended else "open"


def _named(matters: Counter[Matter], fault: str) -> dict[str, str]:
    return {f"{device} {verb}": f"{fault} by {count}" for (device, verb), count in matters.most_common(5)}
