"""One command, folded from its events: where every order stands and what was heard of it."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from controller.commands.event import (
    CommandApproved,
    CommandDropped,
    CommandIssued,
    CommandRequested,
    IssuedPart,
    OutcomesRecorded,
    PartAbandoned,
    PartResent,
    PartSent,
    SiteActed,
)
from controller.commands.model import TERMINAL, OrderState, Origin, Status, Step
from controller.journal import RecordedEvent
from shared.actions import AnyAction
from shared.wire.command import OutcomeRow

_RANK = {
    OrderState.PENDING: 0,
    OrderState.ISSUED: 1,
    OrderState.SENT: 2,
    OrderState.ACCEPTED: 3,
    OrderState.ACKNOWLEDGED: 4,
    **dict.fromkeys(TERMINAL, 5),
}


SITE_PART = 0
SITE_SILENT_MS = 15 * 60_000  # a driver confirms within minutes, and a report may wait for the link


class OrderProgress(msgspec.Struct):
    """`action` is None where the site acted by itself and told only the verb. `given_up` marks an unknown that we wrote
    because nothing was heard; the site's own word still replaces it.
    """

    device_id: str
    node: str
    verb: str
    action: AnyAction | None
    state: OrderState
    trail: list[Step]
    part: int = 0
    given_up: bool = False


class CommandProgress:
    """Starts with `CommandRequested` or `SiteActed`; `apply` takes every later event of the stream in order.

    An order only moves forward: a late or repeated step is kept in its trail and changes nothing else. The first
    terminal state stays.
    """

    def __init__(self, command_id: str, site: str, origin: Origin) -> None:
        self.command_id = command_id
        self.site = site
        self.origin = origin
        self.actor = self.session = self.reason = self.approved_by = self.retry_of = self.dropped_rule = ""
        self.expires_in_s = 0.0
        self.requested_at_ms = self.heard_at_ms = 0
        self.approval_until_ms: int | None = None
        self.ended_at_ms: int | None = None
        self.request: CommandRequested | None = None
        self.orders: list[OrderProgress] = []
        self.parts: dict[int, IssuedPart] = {}
        self.resends: Counter[int] = Counter()
        self.counts: Counter[OrderState] = Counter()
        self.version = 0
        self._open: Counter[int] = Counter()
        self._with_broker: set[int] = set()
        self._places: dict[tuple[int, str, str], int] = {}
        self._records: set[tuple[str, str, int]] = set()

    @property
    def status(self) -> Status:
        if self.dropped_rule:
            return Status.REFUSED
        if self.approval_until_ms is not None and not self.parts:
            return Status.PENDING
        return Status.ENDED if self.ended_at_ms is not None else Status.RUNNING

    @property
    def over(self) -> bool:
        return self.status in (Status.ENDED, Status.REFUSED)

    def has_record(self, node: str, epoch: str, seq: int) -> bool:
        return (node, epoch, seq) in self._records

    def open_orders(self, part: int) -> list[OrderProgress]:
        """Orders of a part that nothing final is known of."""
        places = self.parts[part].orders if part in self.parts else ()
        mine = self.orders if self.origin is Origin.SITE else [self.orders[place] for place in places]
        return [order for order in mine if order.state not in TERMINAL]

    def deadlines(self) -> Iterable[tuple[int, int]]:
        """(deadline_ms, part) of what is still open. Of what a site did by itself, which has one part and no expiry, a
        last word is awaited for as long as `SITE_SILENT_MS` after the one before.
        """
        if self.origin is Origin.SITE:
            return () if self.over else ((self.heard_at_ms + SITE_SILENT_MS, SITE_PART),)
        return ((part.deadline_ms, number) for number, part in self.parts.items() if self._open[number])

    def unheard(self) -> Iterator[IssuedPart]:
        """Parts that the broker took and of which their node said nothing yet."""
        for number in sorted(self._with_broker):
            part = self.parts[number]
            if all(self.orders[place].state is OrderState.SENT for place in part.orders):
                yield part

    def apply(self, event: RecordedEvent, fact: msgspec.Struct) -> bool:
        """Fold the next event; one that was folded before changes nothing. False where events before it are missing."""
        if event.version <= self.version:
            return True
        if event.version != self.version + 1:
            return False
        self.version, self.heard_at_ms = event.version, event.at_ms
        match fact:
            case CommandRequested():
                self._requested(event, fact)
            case SiteActed():
                self.requested_at_ms = event.at_ms
                self.actor = f"{fact.site}/{fact.node}"
            case CommandApproved():
                self.approved_by = event.actor
            case CommandDropped():
                self._dropped(event, fact)
            case CommandIssued():
                self._issued(event, fact)
            case PartSent() | PartResent():
                self._passed_on(event, fact)
            case PartAbandoned():
                self._abandoned(event, fact)
            case OutcomesRecorded():
                self._outcomes(fact)
        if self.ended_at_ms is None and self._ended():
            self.ended_at_ms = event.at_ms
        return True

    def _ended(self) -> bool:
        started = bool(self.parts) or self.origin is Origin.SITE
        return started and bool(self.orders) and sum(self.counts[state] for state in TERMINAL) == len(self.orders)

    def _requested(self, event: RecordedEvent, fact: CommandRequested) -> None:
        self.request = fact
        self.actor, self.session, self.reason = event.actor, fact.session, fact.reason
        self.expires_in_s, self.retry_of = fact.expires_in_s, fact.retry_of
        self.requested_at_ms, self.approval_until_ms = event.at_ms, fact.approval_until_ms
        first = OrderState.ISSUED if fact.approval_until_ms is None else OrderState.PENDING
        step = Step(first, event.at_ms)
        for line in fact.orders:
            self._add(OrderProgress(line.device_id, line.node, line.action.verb, line.action, first, [step]))

    def _issued(self, event: RecordedEvent, fact: CommandIssued) -> None:
        step = Step(OrderState.ISSUED, event.at_ms)
        for part in fact.parts:
            self.parts[part.number] = part
            self._open[part.number] = len(part.orders)
            for place in part.orders:
                order = self.orders[place]
                order.part = part.number
                self._places[part.number, order.device_id, order.verb] = place
                if order.state is OrderState.PENDING:
                    self._step(order, step)

    def _dropped(self, event: RecordedEvent, fact: CommandDropped) -> None:
        self.dropped_rule = fact.rule
        self.ended_at_ms = event.at_ms
        step = Step(OrderState.REFUSED, event.at_ms, fact.rule, fact.detail)
        for order in self.orders:
            self._step(order, step)

    def _passed_on(self, event: RecordedEvent, fact: PartSent | PartResent) -> None:
        """To the broker, or to the outbox once more."""
        if isinstance(fact, PartResent):
            self._with_broker.discard(fact.part)
            self.resends[fact.part] += 1
        else:
            self._with_broker.add(fact.part)
            self._step_all(fact.part, Step(OrderState.SENT, event.at_ms))

    def _abandoned(self, event: RecordedEvent, fact: PartAbandoned) -> None:
        step = Step(OrderState.UNKNOWN, event.at_ms, fact.rule, fact.detail)
        for order in self.open_orders(fact.part):
            self._step(order, step)
            order.given_up = True
        if self.origin is Origin.SITE and not self.orders:
            self.ended_at_ms = event.at_ms  # it named no device, so there is nothing that could end

    def _outcomes(self, fact: OutcomesRecorded) -> None:
        record = (fact.node, fact.epoch, fact.seq)
        if record in self._records:
            return
        self._records.add(record)
        for row in fact.rows:
            step = _step_of(row)
            if not row.device_id:
                self._step_all(fact.part, step)
                continue
            place = self._places.get((fact.part, row.device_id, row.verb))
            if place is None:
                if self.origin is not Origin.SITE:
                    continue  # nothing that we asked for; the journal has it
                place = self._site_order(fact, row, step)
            self._step(self.orders[place], step)

    def _site_order(self, fact: OutcomesRecorded, row: OutcomeRow, step: Step) -> int:
        place = len(self.orders)
        self.ended_at_ms = None  # what seemed over goes on
        self._places[fact.part, row.device_id, row.verb] = place
        self._add(OrderProgress(row.device_id, fact.node, row.verb, None, step.state, []))
        return place

    def _add(self, order: OrderProgress) -> None:
        self.orders.append(order)
        self.counts[order.state] += 1

    def _step_all(self, part: int, step: Step) -> None:
        """A word about a part as a whole, which says nothing of orders that are further already."""
        for place in self.parts[part].orders if part in self.parts else ():
            order = self.orders[place]
            if _RANK[order.state] <= _RANK[OrderState.SENT] or order.given_up:
                self._step(order, step)

    def _step(self, order: OrderProgress, step: Step) -> None:
        order.trail.append(step)
        forward = _RANK[step.state] > _RANK[order.state]
        corrected = order.given_up and step.state in TERMINAL
        if forward or corrected:
            if step.state in TERMINAL and order.state not in TERMINAL:
                self._open[order.part] -= 1
            self.counts[order.state] -= 1
            self.counts[step.state] += 1
            order.state = step.state
            order.given_up = False


def _step_of(row: OutcomeRow) -> Step:
    try:
        state = OrderState(row.state)
    except ValueError:  # a word of a newer release: seen, not understood
        return Step(OrderState.ACCEPTED, row.at_ms, row.rule, f"{row.state}: {row.detail}", row.observed, row.evidence)
    return Step(state, row.at_ms, row.rule, row.detail, row.observed, row.evidence)
