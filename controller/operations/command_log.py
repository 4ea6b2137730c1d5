"""What the board does not index: which commands touched a device, who asked, and the devices' own last words."""

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

from controller.commands.event import CommandRequested, OutcomesRecorded, codec
from controller.commands.view import decision_of
from controller.journal import Journal, RecordedEvent
from controller.views.miner import Evidence

COMMANDS_A_DEVICE = 10
COMMANDS_KEPT = 5_000
EVIDENCE_KEPT = 2_000
EVENTS_REREAD = 20_000
_PREFIX = "command/"


class Requested(NamedTuple):
    """Who asked for a command, and where the journal says so; `decision` where dispatch did."""

    command_id: str
    site: str
    actor: str
    at_ms: int
    position: int
    decision: str = ""


class CommandLog:
    """A projection of the journal, bounded in every direction. After `restore` it knows the latest events only."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._position = self._since = 0
        self._requested: OrderedDict[str, Requested] = OrderedDict()
        self._of_device: dict[str, deque[str]] = {}
        self._evidence: OrderedDict[str, Evidence] = OrderedDict()
        journal.subscribe(self.fold)

    async def restore(self) -> None:
        """Before anything is written."""
        newest = (await self._journal.search("", limit=1)).events
        self._since = max(0, newest[0].position - EVENTS_REREAD) if newest else 0
        async for page in self._journal.since(self._since):
            self.fold(page)

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for event in events:
            if event.position <= self._position or not event.stream.startswith(_PREFIX):
                continue
            self._position = event.position
            fact = codec.decode(event)
            if isinstance(fact, CommandRequested):
                self._note(fact, event)
            elif isinstance(fact, OutcomesRecorded):
                self._hear(fact)

    def requested(self, command_id: str) -> Requested | None:
        return self._requested.get(command_id)

    @property
    def latest(self) -> Collection[Requested]:
        """Oldest first."""
        return self._requested.values()

    def reaches(self, position: int) -> bool:
        """Are all commands known that were asked for after this event?"""
        return position >= self._since

    def of_device(self, device_id: str) -> tuple[str, ...]:
        """Command ids, newest first."""
        return tuple(reversed(self._of_device.get(device_id, ())))

    def of_actor(self, site: str, actor: str, from_ms: int, to_ms: int | None) -> tuple[Requested, ...]:
        """What somebody asked for in a span of time, oldest first."""
        return tuple(
            asked
            for asked in self._requested.values()
            if asked.actor == actor
            and asked.site == site
            and from_ms <= asked.at_ms
            and (not to_ms or asked.at_ms <= to_ms)
        )

    def evidence(self, device_id: str) -> tuple[Evidence, ...]:
        found = self._evidence.get(device_id)
        return () if found is None else (found,)

    def _note(self, fact: CommandRequested, event: RecordedEvent) -> None:
        self._requested[fact.command_id] = Requested(
            fact.command_id, fact.site, event.actor, event.at_ms, event.position, decision_of(fact.origin, fact.session)
        )
        if len(self._requested) > COMMANDS_KEPT:
            self._since = self._requested.popitem(last=False)[1].position
        for line in fact.orders:
            self._remember(line.device_id, fact.command_id)

    def _hear(self, fact: OutcomesRecorded) -> None:
        for row in fact.rows:
            if row.device_id:
                self._remember(row.device_id, fact.command_id)
            if row.device_id and row.evidence:
                self._evidence[row.device_id] = Evidence(observed_at_ms=row.at_ms, request=row.verb, reply=row.evidence)
                self._evidence.move_to_end(row.device_id)
        while len(self._evidence) > EVIDENCE_KEPT:
            self._evidence.popitem(last=False)

    def _remember(self, device_id: str, command_id: str) -> None:
        known = self._of_device.setdefault(device_id, deque(maxlen=COMMANDS_A_DEVICE))
        if command_id not in known:
            known.append(command_id)
