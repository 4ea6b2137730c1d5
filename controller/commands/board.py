"""Every command at a glance: open ones whole, the latest ended ones whole, older ones as summaries."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec

from controller.commands.event import CommandIssued, CommandRequested, PlanIssued, SiteActed, codec
from controller.commands.model import Origin, Status
from controller.commands.progress import CommandProgress
from controller.commands.seal import Counters
from controller.commands.view import CommandSummary, summary_of
from controller.journal import RecordedEvent

ENDED_KEPT_WHOLE = 200
SUMMARIES_KEPT = 5_000
PREFIX = "command/"


class BoardState(msgspec.Struct, frozen=True):
    """What a snapshot keeps: counters, the ids of commands that were open, summaries of the others."""

    counters: list[tuple[str, str, str, int]]
    open_ids: list[str]
    summaries: list[CommandSummary]


class CommandBoard:
    """A projection of the journal: `fold` is subscribed there. Rebuilding it from the first event gives the same."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.position = 0
        self._whole: OrderedDict[str, CommandProgress] = OrderedDict()
        self._summaries: OrderedDict[str, CommandSummary] = OrderedDict()

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        """Take what was written; a command that is not held whole must be put back first (`holds`)."""
        for event in events:
            self.position = max(self.position, event.position)
            fact = codec.decode(event)
            if isinstance(fact, PlanIssued):
                self.counters.seen(fact.site, fact.node, fact.key_id, fact.counter)
            if fact is None or not event.stream.startswith(PREFIX):
                continue
            if isinstance(fact, CommandIssued):
                for part in fact.parts:
                    self.counters.seen(fact.site, part.node, part.key_id, part.counter)
            progress = self._whole.get(event.stream.removeprefix(PREFIX)) or self._begun(fact)
            if progress is not None:
                self._take(progress, event, fact)

    def holds(self, command_id: str) -> bool:
        return command_id in self._whole

    def put(self, command_id: str, events: Sequence[RecordedEvent]) -> CommandProgress | None:
        """Build a command from all its events and hold it; None where there are none."""
        self.fold(events)
        return self._whole.get(command_id)

    def find(self, command_id: str) -> CommandProgress | None:
        return self._whole.get(command_id)

    def open(self) -> Iterator[CommandProgress]:
        """Pending and running ones."""
        return (progress for progress in self._whole.values() if not progress.over)

    def listed(self, site: str, *, offset: int = 0, limit: int = 50) -> list[CommandSummary]:
        """Newest first; as far back as summaries are kept."""
        whole = {command_id: summary_of(progress) for command_id, progress in self._whole.items()}
        mine = [summary for summary in (self._summaries | whole).values() if summary.site == site]
        mine.sort(key=lambda summary: (summary.requested_at_ms, summary.command_id), reverse=True)
        return mine[offset : offset + limit]

    def count(self, site: str) -> int:
        """How many `listed` has in all."""
        whole = sum(progress.site == site for progress in self._whole.values())
        older = (s for command_id, s in self._summaries.items() if command_id not in self._whole)
        return whole + sum(summary.site == site for summary in older)

    def dump(self) -> BoardState:
        ended = [summary_of(progress) for progress in self._whole.values() if progress.over]
        return BoardState(
            counters=self.counters.dump(),
            open_ids=[progress.command_id for progress in self.open()],
            summaries=[*self._summaries.values(), *ended],
        )

    def restore(self, state: BoardState, position: int) -> None:
        """Take a snapshot; the open commands are put back by their events afterwards."""
        self.position = position
        for site, node, key, counter in state.counters:
            self.counters.seen(site, node, key, counter)
        self._summaries = OrderedDict((summary.command_id, summary) for summary in state.summaries)

    def _begun(self, fact: msgspec.Struct) -> CommandProgress | None:
        match fact:
            case CommandRequested():
                progress = CommandProgress(fact.command_id, fact.site, fact.origin)
            case SiteActed():
                progress = CommandProgress(fact.command_id, fact.site, Origin.SITE)
            case _:
                return None
        self._whole[progress.command_id] = progress
        return progress

    def _take(self, progress: CommandProgress, event: RecordedEvent, fact: msgspec.Struct) -> None:
        if progress.apply(event, fact):
            self._keep(progress)
        else:  # an ended command was read back while it was written to: read it again when somebody looks
            del self._whole[progress.command_id]

    def _keep(self, progress: CommandProgress) -> None:
        """Let the oldest ended commands go, whole ones to summaries, summaries for good."""
        if progress.status not in (Status.ENDED, Status.REFUSED):
            return
        self._whole.move_to_end(progress.command_id)
        ended = [command_id for command_id, kept in self._whole.items() if kept.over]
        for command_id in ended[: max(0, len(ended) - ENDED_KEPT_WHOLE)]:
            self._summaries[command_id] = summary_of(self._whole.pop(command_id))
        while len(self._summaries) > SUMMARIES_KEPT:
            self._summaries.popitem(last=False)
