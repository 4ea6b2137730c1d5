"""What nodes say about commands: one event per record, one commit per batch of records."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from controller.commands.event import OutcomesRecorded, SiteActed, SiteDenied, codec, command_stream
from controller.commands.service import CommandService
from controller.fleet.model import RecordIdentity
from controller.journal import Append, Commit, Journal
from shared.log import get_logger
from shared.wire.command import OutcomeBatch

_OURS = re.compile(r"(c-[0-9a-f]{12,16}-[0-9a-f]{8})\.(\d{1,5})")
_LONGEST_ID = 128
_log = get_logger("commands.inbox")


class Arrival(NamedTuple):
    """One RESULT record."""

    site: str
    node: str
    batch: OutcomeBatch
    record: RecordIdentity


class OutcomeInbox:
    """Idempotent: a record that arrives twice is written once per process life and folded once ever.

    `message` is what a RESULT record's body decodes to.
    """

    message = OutcomeBatch

    def __init__(self, journal: Journal, service: CommandService) -> None:
        self._journal = journal
        self._service = service
        self.refused = 0

    async def handle(self, site: str, node: str, batch: OutcomeBatch, record: RecordIdentity) -> None:
        await self.handle_many([Arrival(site, node, batch, record)])

    async def handle_many(self, arrivals: Sequence[Arrival]) -> None:
        """Durable when it returns."""
        appends: list[Append] = []
        begun: set[str] = set()
        for arrival in arrivals:
            appends += await self._appends(arrival, begun)
        if appends:
            await self._journal.commit(Commit(appends=tuple(appends)))

    async def _appends(self, arrival: Arrival, begun: set[str]) -> list[Append]:
        wire_id = arrival.batch.command_id
        if not wire_id:
            return [_denied(arrival)]
        ours = _OURS.fullmatch(wire_id)
        if ours:
            progress = await self._service.progress(ours[1])
            if progress is not None:
                part = progress.parts.get(int(ours[2]))
                if part is None or (progress.site, part.node) != (arrival.site, arrival.node):
                    self.refused += 1
                    _log.error("outcome_of_a_stranger", site=arrival.site, node=arrival.node, command=wire_id)
                    return []
                if progress.has_record(arrival.node, arrival.record.epoch, arrival.record.seq):
                    return []
                return [_recorded(arrival, progress.command_id, part.number)]
        return await self._site_acted(arrival, begun)

    async def _site_acted(self, arrival: Arrival, begun: set[str]) -> list[Append]:
        """Something that we did not ask for: the site's own rules, or a command of a lost journal."""
        command_id = f"{arrival.site}.{arrival.node}.{arrival.batch.command_id[:_LONGEST_ID]}"
        progress = await self._service.progress(command_id)
        if progress is not None and progress.has_record(arrival.node, arrival.record.epoch, arrival.record.seq):
            return []
        recorded = _recorded(arrival, command_id, 0)
        if progress is not None or command_id in begun:
            return [recorded]
        begun.add(command_id)
        fact = SiteActed(command_id=command_id, site=arrival.site, node=arrival.node)
        return [Append(command_stream(command_id), (codec.encode(fact, _actor(arrival)),)), recorded]


def _recorded(arrival: Arrival, command_id: str, part: int) -> Append:
    fact = OutcomesRecorded(
        command_id=command_id,
        part=part,
        node=arrival.node,
        epoch=arrival.record.epoch,
        seq=arrival.record.seq,
        rows=arrival.batch.rows,
    )
    return Append(command_stream(command_id), (codec.encode(fact, _actor(arrival)),))


def _denied(arrival: Arrival) -> Append:
    """A node refused a message without trusting it enough to name it."""
    fact = SiteDenied(
        site=arrival.site,
        node=arrival.node,
        epoch=arrival.record.epoch,
        seq=arrival.record.seq,
        rows=arrival.batch.rows,
    )
    return Append(f"site-denied/{arrival.site}/{arrival.node}", (codec.encode(fact, _actor(arrival)),))


def _actor(arrival: Arrival) -> str:
    return f"node {arrival.site}/{arrival.node}"
