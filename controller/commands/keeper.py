"""Looks after open commands: ends what nobody answers or approves, and keeps the board over restarts."""

import asyncio
from collections.abc import Iterator

import msgspec

from controller.commands.board import PREFIX, BoardState
from controller.commands.event import CommandDropped, PartAbandoned, codec, command_stream
from controller.commands.model import Status
from controller.commands.refusal import Refusal
from controller.commands.service import CommandService
from controller.journal import Append, Commit, Journal, Snapshot
from controller.journal.ports import Snapshots
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger

PROJECTION = "commands/1"
EVENTS_BETWEEN_SNAPSHOTS = 5_000
ACTOR = "controller"
PAUSE_S = 1.0
_log = get_logger("commands.keeper")


class CommandKeeper:
    """`restore` once before anything else; then `run` until cancelled."""

    def __init__(self, journal: Journal, service: CommandService, snapshots: Snapshots, clock: Clock) -> None:
        self._journal = journal
        self._service = service
        self._board = service.board
        self._snapshots = snapshots
        self._clock = clock
        self._saved_at = 0

    async def restore(self) -> None:
        """Bring board and holds to the journal's end: from the newest snapshot, or from the first event."""
        await self._service.holds.restore()
        snapshot = await self._snapshots.load(PROJECTION)
        if snapshot is not None:
            state = msgspec.msgpack.decode(snapshot.data, type=BoardState)
            self._board.restore(state, snapshot.position)
            for command_id in state.open_ids:
                await self._service.progress(command_id)
        self._saved_at = snapshot.position if snapshot is not None else 0
        async for page in self._journal.since(self._saved_at):
            for event in page:
                command_id = event.stream.removeprefix(PREFIX)
                if event.stream.startswith(PREFIX) and event.version > 1 and not self._board.holds(command_id):
                    await self._service.progress(command_id)
                self._board.fold((event,))

    async def checkpoint(self) -> None:
        """Keep the board as it is, so that the next start reads only what comes after."""
        position = self._board.position
        data = msgspec.msgpack.encode(self._board.dump())
        await self._snapshots.save(PROJECTION, Snapshot(position, data))
        self._saved_at = position

    async def run(self) -> None:
        """End what is overdue when it is due; wakes for deadlines and for what is written, never to look around.

        What cannot be written, because the journal fails or somebody wrote first, is looked at again a little later.
        """
        try:
            while True:
                written = asyncio.ensure_future(self._journal.wait())
                try:
                    await self.end_overdue()
                    if self._board.position - self._saved_at >= EVENTS_BETWEEN_SNAPSHOTS:
                        await self.checkpoint()
                    await asyncio.wait((written,), timeout=self._wait_s())
                except StorageError as error:
                    _log.error("keeper_failed", code=error.code, detail=error.detail)
                    await asyncio.sleep(PAUSE_S)
                finally:
                    written.cancel()
        finally:
            await self._checkpoint_at_the_end()

    async def _checkpoint_at_the_end(self) -> None:
        try:
            await self.checkpoint()
        except StorageError as error:  # the next start reads a little more
            _log.error("board_not_kept", code=error.code, detail=error.detail)

    async def end_overdue(self) -> int:
        """Write down that time is over; returns how many parts and pending commands ended."""
        appends = tuple(self._overdue(self._clock.now_ms()))
        if appends:
            await self._journal.commit(Commit(appends=appends))
        return len(appends)

    def _overdue(self, now_ms: int) -> Iterator[Append]:
        for progress in self._board.open():
            command_id = progress.command_id
            if progress.status is Status.PENDING:
                if progress.approval_until_ms is not None and now_ms > progress.approval_until_ms:
                    detail = "nobody approved it in time"
                    fact: msgspec.Struct = CommandDropped(command_id, Refusal.SECOND_PERSON_MISSING, detail)
                    yield Append(command_stream(command_id), (codec.encode(fact, ACTOR),), progress.version)
                continue
            for deadline_ms, part in progress.deadlines():
                if now_ms > deadline_ms:
                    fact = PartAbandoned(command_id, part, Refusal.SILENT, "nothing was heard by the deadline")
                    yield Append(command_stream(command_id), (codec.encode(fact, ACTOR),))

    def _wait_s(self) -> float | None:
        """Until the next deadline; None where nothing is open."""
        due_ms: list[int] = []
        for progress in self._board.open():
            if progress.status is Status.PENDING and progress.approval_until_ms is not None:
                due_ms.append(progress.approval_until_ms)
            due_ms += [deadline_ms for deadline_ms, _ in progress.deadlines()]
        return None if not due_ms else max(0.0, (min(due_ms) + 1 - self._clock.now_ms()) / 1000)
