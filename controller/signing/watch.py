"""What the chain does with final transactions: confirmed, buried, reorganised, forgotten or overtaken."""

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from controller.journal import Append, Commit, Journal, SideEffect
from controller.signing.board import ProposalBoard
from controller.signing.conductor import ACTOR, KNOWN_TO_NODE
from controller.signing.event import (
    BroadcastRefused,
    ConflictEnded,
    ConflictSeen,
    ProposalRefused,
    ProposalReplaced,
    TransactionBuried,
    TransactionConfirmed,
    TransactionReorganised,
    codec,
    proposal_stream,
)
from controller.signing.model import MAY_CONFIRM, ChainPoint, ProposalStatus
from controller.signing.ports import Chain
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.request import broadcast_effect
from shared.errors import Conflict

MISSING_INPUTS = frozenset({"missing-inputs", "bad-txns-inputs-missingorspent"})
"""Reject reasons (Bitcoin Core) of a transaction whose inputs a node does not know as unspent."""


class ChainWatch:
    """`observe` is called after each block and at start; it looks at every transaction that may confirm."""

    def __init__(self, journal: Journal, board: ProposalBoard, chain: Chain) -> None:
        self._journal = journal
        self._board = board
        self._chain = chain

    async def observe(self) -> None:
        """GatewayUnavailable where the node cannot be asked; call again later."""
        tip = await self._chain.tip()
        for progress in self._board.open():
            if progress.status in MAY_CONFIRM:
                with suppress(Conflict):  # somebody wrote first; the next look sees what
                    await self._look(progress, tip)

    async def _look(self, progress: ProposalProgress, tip: ChainPoint) -> None:
        txid = progress.proposal.txid
        block = await self._chain.block_of(txid)
        if progress.block is not None and progress.block != block:
            again = () if block is not None or progress.final is None else (self._again(progress),)
            await self._write(progress, TransactionReorganised(progress.proposal_id, txid, progress.block), *again)
        if block is None:
            await self._look_after(progress, tip)
            return
        if progress.block != block:
            await self._write(progress, TransactionConfirmed(progress.proposal_id, txid, block))
        depth = tip.height - block.height + 1
        if depth >= progress.proposal.depth:
            await self._write(progress, TransactionBuried(progress.proposal_id, txid, block, depth))
            for rival in self._rivals(progress):
                await self._write(rival, _overtaken(rival, progress.proposal_id))

    async def _look_after(self, progress: ProposalProgress, tip: ChainPoint) -> None:
        """Not in a block: is it still with the node, and can it ever confirm?"""
        if progress.final is None or progress.withheld:
            await self._look_for_coins(progress, tip)
            return
        if progress.status is ProposalStatus.FINALISED and progress.broadcasts == 0:
            return  # the outbox is at it
        node = await self._chain.test_accept(progress.final.raw)
        if node.allowed:
            await self._commit((), (self._again(progress),))
        elif node.reason in MISSING_INPUTS:
            await self._look_for_coins(progress, tip)
        elif node.reason in KNOWN_TO_NODE:
            if progress.status is not ProposalStatus.BROADCAST:
                await self._commit((), (self._again(progress),))
        elif node.reason not in progress.node_reason:
            fact = BroadcastRefused(progress.proposal_id, progress.proposal.txid, progress.broadcasts, node.reason)
            await self._write(progress, fact)

    async def _look_for_coins(self, progress: ProposalProgress, tip: ChainPoint) -> None:
        """Are its coins still there? The change of a payment that waits itself is not yet."""
        waiting = self._board.waiting()
        coins = [coin for coin in progress.proposal.inputs if coin[0] not in waiting]
        for txid, vout in coins:
            if not await self._chain.holds(txid, vout):
                await self._conflict(progress, tip)
                return
        if progress.conflict_height is not None:
            await self._write(progress, ConflictEnded(progress.proposal_id, progress.proposal.txid))

    async def _conflict(self, progress: ProposalProgress, tip: ChainPoint) -> None:
        """Another transaction has its coins; after as many blocks as bury one, nobody waits any more."""
        seen = progress.conflict_height
        if seen is None or seen > tip.height:
            await self._write(progress, ConflictSeen(progress.proposal_id, progress.proposal.txid, tip.height))
        elif tip.height - seen >= progress.proposal.depth and not any(
            rival.block is not None for rival in self._rivals(progress)
        ):
            detail = f"since block {seen} its coins are spent by a transaction that is not of this door"
            await self._write(progress, ProposalRefused(progress.proposal_id, SigningRefusal.CONFLICT, detail))

    def _rivals(self, progress: ProposalProgress) -> Iterator[ProposalProgress]:
        """Other open proposals that spend one of its coins."""
        mine = set(progress.proposal.inputs)
        for rival in self._board.open():
            if rival is not progress and mine.intersection(rival.proposal.inputs):
                yield rival

    def _again(self, progress: ProposalProgress) -> SideEffect:
        assert progress.final is not None
        final = progress.final
        return broadcast_effect(progress.proposal_id, final.txid, final.raw, progress.broadcasts + 1)

    async def _write(self, progress: ProposalProgress, fact: msgspec.Struct, *effects: SideEffect) -> None:
        event = codec.encode(fact, ACTOR)
        await self._commit((Append(proposal_stream(progress.proposal_id), (event,), progress.version),), effects)

    async def _commit(self, appends: tuple[Append, ...], effects: tuple[SideEffect, ...]) -> None:
        await self._journal.commit(Commit(appends=appends, effects=effects))


def _overtaken(rival: ProposalProgress, by: str) -> msgspec.Struct:
    if rival.status in MAY_CONFIRM:
        return ProposalReplaced(rival.proposal_id, by)
    detail = f"{by} has spent its coins and is buried"
    return ProposalRefused(rival.proposal_id, SigningRefusal.SUPERSEDED, detail)
