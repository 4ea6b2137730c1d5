"""Final transactions to the node, and what the chain does with them. A restart looks at all of them again."""

import asyncio
from collections.abc import Sequence
from typing import Final

from controller.journal import Append, Commit, Journal
from controller.signing.board import ProposalBoard
from controller.signing.conductor import ACTOR
from controller.signing.execution.event import (
    PREFIX,
    ExecutionBroadcast,
    ExecutionBuried,
    ExecutionConfirmed,
    ExecutionOvertaken,
    ExecutionReorganised,
    ExecutionUntaken,
    Fact,
    codec,
)
from controller.signing.execution.progress import ExecutionProgress, ExecutionStatus
from controller.signing.model import ChainPoint
from controller.signing.ports import Chain
from controller.signing.watch import MISSING_INPUTS
from shared.errors import GatewayError, GatewayRefused, StorageError
from shared.log import get_logger

_IN_A_COMMIT: Final = 64
_log = get_logger("signing.execution")


class ExecutionWatch:
    """`run` until cancelled, or `observe` as often as one likes. A node that cannot be asked only delays."""

    def __init__(self, journal: Journal, board: ProposalBoard, chain: Chain, *, look_s: float) -> None:
        self._journal = journal
        self._board = board
        self._chain = chain
        self._look_s = look_s
        self._tip: ChainPoint | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.observe()
            except (GatewayError, StorageError) as error:
                _log.warning("executions_not_looked_after", code=error.code, detail=error.detail)
            await asyncio.sleep(self._look_s)

    async def observe(self) -> None:
        """What is new is offered to the node; after a new tip, and after a start, everything is looked at."""
        due = list(self._board.executions.open())
        if not due:
            return
        tip = await self._chain.tip()
        if tip == self._tip:
            due = [one for one in due if one.status is ExecutionStatus.EXECUTED]
        for start in range(0, len(due), _IN_A_COMMIT):
            facts = [fact for one in due[start : start + _IN_A_COMMIT] for fact in await self._seen(one, tip)]
            await self._write(facts)
        self._tip = tip

    async def _seen(self, one: ExecutionProgress, tip: ChainPoint) -> Sequence[Fact]:
        block = await self._chain.block_of(one.txid)
        facts: list[Fact] = []
        if one.block is not None and one.block != block:
            facts.append(ExecutionReorganised(one.execution_id, one.txid, one.block))
        if block is None:
            return facts + await self._offered(one, tip)
        if one.block != block:
            facts.append(ExecutionConfirmed(one.execution_id, one.txid, block))
        depth = tip.height - block.height + 1
        if depth >= one.depth:
            facts.append(ExecutionBuried(one.execution_id, one.txid, block, depth))
        return facts

    async def _offered(self, one: ExecutionProgress, tip: ChainPoint) -> list[Fact]:
        """A node may have forgotten what it took, so it is told again; that is done where it has it already."""
        try:
            await self._chain.broadcast(one.raw)
        except GatewayRefused as error:
            return await self._untaken(one, tip, (await self._chain.test_accept(one.raw)).reason or error.detail)
        taken = one.status is ExecutionStatus.BROADCAST
        return [] if taken else [ExecutionBroadcast(one.execution_id, one.txid)]

    async def _untaken(self, one: ExecutionProgress, tip: ChainPoint, reason: str) -> list[Fact]:
        since = one.untaken_height
        if since is None or since > tip.height or reason != one.node_reason:
            return [ExecutionUntaken(one.execution_id, one.txid, tip.height, reason)]
        lost = reason in MISSING_INPUTS and tip.height - since >= one.depth and await self._misses_coins(one)
        return [ExecutionOvertaken(one.execution_id, one.txid, since)] if lost else []

    async def _misses_coins(self, one: ExecutionProgress) -> bool:
        """Not those that something else of ours is about to make."""
        waiting = self._board.waiting()
        coins = [coin for coin in one.inputs if coin[0] not in waiting]
        return not all([await self._chain.holds(*coin) for coin in coins])

    async def _write(self, facts: Sequence[Fact]) -> None:
        if facts:
            appends = tuple(Append(PREFIX + fact.execution_id, (codec.encode(fact, ACTOR),)) for fact in facts)
            await self._journal.commit(Commit(appends=appends))
