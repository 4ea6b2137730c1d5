"""Brings proposals back after a restart and looks after them: blocks, overdue rounds, a node that was away."""

import asyncio

from controller.journal import Journal
from controller.signing.board import ProposalBoard
from controller.signing.ports import Chain
from controller.signing.service import SigningService
from shared.clock import Clock
from shared.errors import GatewayError, StorageError
from shared.log import get_logger

LOOK_S = 15.0
_log = get_logger("signing.keeper")


async def restore(journal: Journal, board: ProposalBoard) -> None:
    """Read the board from the journal, once, before anything else; from then on it follows by itself."""
    async for page in journal.since(0):
        board.fold(page)
    journal.subscribe(board.fold)


class SigningKeeper:
    """`run` until cancelled. A node that cannot be asked delays; it loses nothing."""

    def __init__(self, service: SigningService, chain: Chain, clock: Clock, *, look_s: float = LOOK_S) -> None:
        self._service = service
        self._chain = chain
        self._clock = clock
        self._look_s = look_s

    async def run(self) -> None:
        while True:
            try:
                await self._service.tick()
            except (GatewayError, StorageError) as error:
                _log.warning("signing_not_looked_after", code=error.code, detail=error.detail)
            await asyncio.sleep(self._wait_s())

    def _wait_s(self) -> float:
        due_ms = self._service.conductor.due_ms()
        if due_ms is None:
            return self._look_s
        return min(self._look_s, max(0.05, (due_ms + 1 - self._clock.now_ms()) / 1_000))
