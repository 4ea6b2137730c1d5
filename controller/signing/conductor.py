"""Carries a proposal on, step by step, from what the journal says of it.

Nothing is remembered between two steps: after a crash the same events lead to the same next step. Every step is written
with the version on which it was decided, so that of two who decide at once one wins and the other looks again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy

import msgspec
from nacl.signing import SigningKey

from controller.journal import Append, Commit, Journal, SideEffect
from controller.signing.board import ProposalBoard
from controller.signing.combine import completed, spent_outputs, with_nonces
from controller.signing.control import control_text
from controller.signing.event import (
    ControlProven,
    ProposalExpired,
    ProposalFinalised,
    ProposalRefused,
    RoundAborted,
    RoundRepeated,
    RoundStarted,
    VerdictPassed,
    codec,
    proposal_stream,
)
from controller.signing.model import UNSIGNED, AskedBox, ProposalStatus, Round
from controller.signing.plan import Abort, Ask, Complete, Exhausted, Wait, next_step, rests_until_ms, signed_whole
from controller.signing.ports import BoxAddress, Chain, Contract, ContractBook, Judge, Verdicts
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.request import broadcast_effect, request_id, signing_effect
from shared.bitcoin.transaction import Transaction
from shared.clock import Clock
from shared.errors import Conflict, ContractError, Denied

ACTOR = "controller"
ROUND_S = 600.0
KNOWN_TO_NODE = frozenset({"txn-already-in-mempool", "txn-already-known", "txn-same-nonwitness-data-in-mempool"})
"""Reject reasons (Bitcoin Core) of a transaction that a node has taken before."""
_SILENT = "box.silent"
_MOST_STEPS = 64


class Office:
    """Whom the conductor asks: contracts, chain, verdicts and the judge."""

    def __init__(self, contracts: ContractBook, chain: Chain, verdicts: Verdicts, judge: Judge) -> None:
        self.contracts = contracts
        self.chain = chain
        self.verdicts = verdicts
        self.judge = judge


class Conductor:
    """`advance` is called after anything that may have changed a proposal, as often as one likes."""

    def __init__(
        self,
        journal: Journal,
        board: ProposalBoard,
        office: Office,
        key: SigningKey,
        clock: Clock,
        *,
        round_s: float = ROUND_S,
    ) -> None:
        self._journal = journal
        self._board = board
        self._office = office
        self._key = key
        self._clock = clock
        self._round_s = round_s
        self._steps: dict[ProposalStatus, Callable[[ProposalProgress, Contract, int], Awaitable[bool]]] = {
            ProposalStatus.APPROVED: self._judged_by_rules,
            ProposalStatus.CLEARED: self._signing,
            ProposalStatus.SIGNING: self._signing,
        }

    async def advance(self, proposal_id: str) -> None:
        """Do all that can be done now. GatewayUnavailable where the node cannot be asked; call again later."""
        for _ in range(_MOST_STEPS):
            progress = self._board.find(proposal_id)
            if progress is None:
                return
            try:
                if not await self._step(copy(progress)):  # its version must not move on while the step is decided
                    return
            except Conflict:
                continue

    def due_ms(self) -> int | None:
        """When the next round's time is over; None where none runs."""
        rounds = [progress.round for progress in self._board.open() if progress.round is not None]
        return min((round_.until_ms for round_ in rounds if round_.open), default=None)

    async def repeat(self, progress: ProposalProgress, actor: str) -> bool:
        """Send the requests of the present round that nobody answered again, word for word: a box that has answered
        gives the answer that it gave. False where no answer is awaited.
        """
        round_ = progress.round
        if round_ is None or not round_.open:
            return False
        base = progress.proposal.psbt
        if round_.kind is Round.PARTIAL:
            base = with_nonces(base, list(progress.nonces.values()))
        now_ms = self._clock.now_ms()
        effects = tuple(
            msgspec.structs.replace(effect, key=f"{effect.key}/again/{now_ms}")
            for effect in (
                signing_effect(progress, box, round_.kind, round_.path, base, round_.until_ms, self._key)
                for box in round_.open
            )
        )
        fact = RoundRepeated(
            proposal_id=progress.proposal_id,
            attempt=round_.attempt,
            requests=tuple(box.request_id for box in round_.open),
        )
        return await self._write(progress, fact, effects, actor=actor)

    async def _step(self, progress: ProposalProgress) -> bool:
        """True where something was written."""
        if progress.status not in UNSIGNED and progress.status is not ProposalStatus.SIGNING:
            return False
        tip = await self._office.chain.tip()
        contract = self._office.contracts.contract(progress.proposal.contract_id)
        if contract is not None and signed_whole(progress, contract):
            return await self._signing(progress, contract, tip.height)  # others may have it too: it cannot be recalled
        if tip.height >= progress.proposal.expiry_height:
            return await self._write(progress, ProposalExpired(progress.proposal_id, tip.height))
        if contract is None or contract.policy.policy_version != progress.proposal.policy_version:
            detail = "the policy under which it was approved is not in force any more; propose it anew"
            return await self._refuse(progress, SigningRefusal.POLICY_CHANGED, detail)
        step = self._steps.get(progress.status)
        return await step(progress, contract, tip.height) if step is not None else False

    async def _judged_by_rules(self, progress: ProposalProgress, contract: Contract, height: int) -> bool:
        ruling = await self._office.verdicts.rule(contract, progress.proposal, height)
        if not ruling.allowed:
            return await self._refuse(progress, ruling.rules[0], ruling.detail)
        return await self._write(progress, VerdictPassed(progress.proposal_id, progress.proposal.txid, ruling.rules))

    async def _signing(self, progress: ProposalProgress, contract: Contract, _height: int) -> bool:
        match next_step(progress, contract):
            case Ask() as ask if self._clock.now_ms() < rests_until_ms(progress, ask):
                return False
            case Ask() as ask:
                return await self._ask(progress, contract, ask)
            case Abort(rule, detail):
                return await self._write(progress, RoundAborted(progress.proposal_id, progress.attempt, rule, detail))
            case Complete(path):
                return await self._complete(progress, contract, path)
            case Exhausted(detail):
                return await self._refuse(progress, SigningRefusal.NO_QUORUM, detail)
            case Wait():
                return await self._overdue(progress)

    async def _overdue(self, progress: ProposalProgress) -> bool:
        round_ = progress.round
        if round_ is None or self._clock.now_ms() <= round_.until_ms:
            return False
        silent = ", ".join(box.party for box in round_.open)
        detail = f"nothing was heard in time of {silent}"
        return await self._write(progress, RoundAborted(progress.proposal_id, round_.attempt, _SILENT, detail))

    async def _ask(self, progress: ProposalProgress, contract: Contract, ask: Ask) -> bool:
        attempt = progress.attempt if ask.kind is Round.PARTIAL else progress.attempt + 1
        base, until_ms = progress.proposal.psbt, self._clock.now_ms() + int(1_000 * self._round_s)
        if ask.kind is Round.PARTIAL:
            assert progress.round is not None
            base = with_nonces(base, [answer.psbt for answer in progress.round.taken.values()])
        asked = tuple(
            _asked(contract.boxes[party], party, request_id(progress.proposal_id, attempt, ask.kind, place))
            for place, party in enumerate(ask.parties)
        )
        effects = tuple(signing_effect(progress, box, ask.kind, ask.path, base, until_ms, self._key) for box in asked)
        fact = RoundStarted(
            proposal_id=progress.proposal_id,
            attempt=attempt,
            round=ask.kind,
            path=ask.path,
            asked=asked,
            until_ms=until_ms,
        )
        return await self._write(progress, fact, effects)

    async def _complete(self, progress: ProposalProgress, contract: Contract, path: str) -> bool:
        """Combine, let the consensus engine judge every input, ask the node, and write the one final transaction."""
        proposal = progress.proposal
        try:
            final = completed(contract, path, proposal.psbt, progress)
        except ContractError as error:
            return await self._refuse(progress, SigningRefusal.JUDGE, f"no witness can be made: {error}")
        verdict = await asyncio.to_thread(self._office.judge.accepts, final.raw, spent_outputs(proposal.psbt))
        if not verdict.ok:
            return await self._refuse(
                progress, SigningRefusal.JUDGE, f"the consensus engine refuses input {verdict.failed_input}"
            )
        if proposal.message is not None:
            return await self._prove(progress, contract, proposal.message, final)
        node = await self._office.chain.test_accept(final.raw)
        if not node.allowed and node.reason not in KNOWN_TO_NODE:
            return await self._refuse(progress, SigningRefusal.NODE_REFUSED, f"the node refuses it: {node.reason}")
        return await self._write(
            progress,
            _finalised(proposal.proposal_id, final, path),
            (broadcast_effect(proposal.proposal_id, final.txid, final.raw, 1),),
        )

    async def _prove(self, progress: ProposalProgress, contract: Contract, message: str, signed: Transaction) -> bool:
        """The text for whoever asked, once it convinces us as it would convince him."""
        try:
            address, signature = control_text(contract, progress.proposal.places[0], message, signed)
        except Denied as denied:
            return await self._refuse(progress, denied.rule, denied.detail)
        height = (await self._office.chain.tip()).height
        proven = ControlProven(proposal_id=progress.proposal_id, address=address, signature=signature, height=height)
        return await self._write(progress, proven)

    async def _refuse(self, progress: ProposalProgress, rule: str, detail: str) -> bool:
        return await self._write(progress, ProposalRefused(progress.proposal_id, rule, detail))

    async def _write(
        self,
        progress: ProposalProgress,
        fact: msgspec.Struct,
        effects: Sequence[SideEffect] = (),
        *,
        actor: str = ACTOR,
    ) -> bool:
        append = Append(proposal_stream(progress.proposal_id), (codec.encode(fact, actor),), progress.version)
        await self._journal.commit(Commit(appends=(append,), effects=tuple(effects)))
        return True


def _asked(box: BoxAddress, party: str, request: str) -> AskedBox:
    return AskedBox(request, party, box.site, box.node)


def _finalised(proposal_id: str, final: Transaction, path: str) -> ProposalFinalised:
    return ProposalFinalised(
        proposal_id=proposal_id,
        txid=final.txid,
        wtxid=final.wtxid,
        raw=final.raw,
        path=path,
        weight_wu=final.weight_wu,
    )
