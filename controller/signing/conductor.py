"""Carries a proposal on, step by step, from what the journal says of it.

Nothing is remembered between two steps: after a crash the same events lead to the same next step. Every step is written
with the version on which it was decided, so that of two who decide at once one wins and the other looks again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from copy import copy

import msgspec
from nacl.signing import SigningKey

from controller.journal import Append, Commit, Journal, SideEffect
from controller.signing.board import ProposalBoard
from controller.signing.combine import completed, spent_outputs, with_nonces
from controller.signing.control import control_text
from controller.signing.event import (
    BroadcastWithheld,
    ControlProven,
    ProposalExpired,
    ProposalFinalised,
    ProposalLapsed,
    ProposalRefused,
    RoundAborted,
    RoundRepeated,
    RoundStarted,
    VerdictPassed,
    codec,
    proposal_stream,
)
from controller.signing.model import UNSIGNED, AskedBox, ProposalStatus, Round
from controller.signing.plan import (
    Abort,
    Ask,
    Complete,
    Exhausted,
    Wait,
    may_be_signed_whole,
    next_step,
    rests_until_ms,
    signed_whole,
)
from controller.signing.ports import BoxAddress, Chain, Contract, ContractBook, Judge, Ruling, Verdicts
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.request import broadcast_effect, request_id, signing_effect
from shared.bitcoin.transaction import Transaction
from shared.clock import Clock
from shared.errors import Conflict, ContractError, Denied, GatewayUnavailable

ACTOR = "controller"
ROUND_S = 600.0
REPEAT_MS = 30_000
"""So long nothing has to be heard of a round before a box that lives is asked again."""
KNOWN_TO_NODE = frozenset({"txn-already-in-mempool", "txn-already-known", "txn-same-nonwitness-data-in-mempool"})
"""Reject reasons (Bitcoin Core) of a transaction that a node has taken before."""
_CARRIED_ON = UNSIGNED | {ProposalStatus.SIGNING, ProposalStatus.LAPSED}
_SILENT = "box.silent"
_MOST_STEPS = 64


class Office:
    """Whom the conductor asks: contracts, chain, verdicts and the judge."""

    def __init__(self, contracts: ContractBook, chain: Chain, verdicts: Verdicts, judge: Judge) -> None:
        self.contracts = contracts
        self.chain = chain
        self.verdicts = verdicts
        self.judge = judge

    def contract(self, contract_id: str) -> Contract:
        """Denied `spending.unknown-contract`."""
        found = self.contracts.contract(contract_id)
        if found is None:
            raise Denied(SigningRefusal.UNKNOWN_CONTRACT, f"there is no active contract {contract_id!r}")
        return found


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
        self._admitting = asyncio.Lock()  # what one proposal may spend depends on what the others were asked for
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
        signing = (one.round for one in self._board.open() if one.status is ProposalStatus.SIGNING)
        return min((round_.until_ms for round_ in signing if round_ is not None and round_.open), default=None)

    async def box_lives(self, site: str, node: str) -> None:
        """A box was heard: what it was asked and has not answered is asked again, word for word. The request, or the
        answer, may have been lost with a process or a line.
        """
        now_ms = self._clock.now_ms()
        for progress in self._board.open():
            waiting = progress.round.open if progress.status is ProposalStatus.SIGNING and progress.round else []
            asked = any((box.site, box.node) == (site, node) for box in waiting)
            if asked and now_ms - progress.changed_at_ms >= REPEAT_MS:
                with suppress(Conflict):  # an answer came in between
                    await self.repeat(progress, ACTOR)

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
        return await self._write(progress, fact, effects=effects, actor=actor)

    async def _step(self, progress: ProposalProgress) -> bool:
        """True where something was written."""
        if progress.status not in _CARRIED_ON and not progress.withheld:
            return False
        tip = await self._office.chain.tip()
        contract = self._office.contracts.contract(progress.proposal.contract_id)
        if progress.withheld:
            return contract is not None and await self._released(progress, contract, tip.height)
        if contract is not None and signed_whole(progress, contract):
            return await self._signing(progress, contract, tip.height)  # others may have it too: it cannot be recalled
        if progress.status is ProposalStatus.LAPSED:
            return await self._let_go(progress, contract, tip.height)
        if tip.height >= progress.proposal.expiry_height:
            return await self._end(progress, contract, ProposalExpired(progress.proposal_id, tip.height))
        if contract is None or contract.policy.policy_version != progress.proposal.policy_version:
            detail = "the policy under which it was approved is not in force any more; propose it anew"
            return await self._end(progress, contract, _refused(progress, SigningRefusal.POLICY_CHANGED, detail))
        step = self._steps.get(progress.status)
        return await step(progress, contract, tip.height) if step is not None else False

    async def _judged_by_rules(self, progress: ProposalProgress, contract: Contract, height: int) -> bool:
        ruling = await self._office.verdicts.rule(contract, progress.proposal, height)
        if not ruling.allowed:
            return await self._write(progress, _refused(progress, ruling.rules[0], ruling.detail))
        return await self._write(progress, _passed(progress, ruling, height))

    async def _signing(self, progress: ProposalProgress, contract: Contract, height: int) -> bool:
        match next_step(progress, contract):
            case Ask() as ask if self._clock.now_ms() < rests_until_ms(progress, ask):
                return False
            case Ask() as ask:
                return await self._ask(progress, contract, ask, height)
            case Abort(rule, detail):
                return await self._write(progress, RoundAborted(progress.proposal_id, progress.attempt, rule, detail))
            case Complete(path):
                return await self._complete(progress, contract, path, height)
            case Exhausted(detail):
                return await self._end(progress, contract, _refused(progress, SigningRefusal.NO_QUORUM, detail))
            case Wait():
                return await self._overdue(progress)

    async def _end(
        self, progress: ProposalProgress, contract: Contract | None, ending: ProposalExpired | ProposalRefused
    ) -> bool:
        """It ends, and its coins are free, unless somebody may have every signature that it needs."""
        spends = progress.proposal.message is None
        if not spends or not progress.signed or (contract is not None and not may_be_signed_whole(progress, contract)):
            return await self._write(progress, ending)
        rule, detail = (ending.rule, ending.detail) if isinstance(ending, ProposalRefused) else ("", "")
        return await self._write(progress, ProposalLapsed(progress.proposal_id, rule, detail))

    async def _let_go(self, progress: ProposalProgress, contract: Contract | None, height: int) -> bool:
        """A lapsed one ends when so many requests were refused that nobody can have it whole."""
        if contract is None or may_be_signed_whole(progress, contract):
            return False
        if progress.rule:
            return await self._write(progress, _refused(progress, progress.rule, progress.detail))
        return await self._write(progress, ProposalExpired(progress.proposal_id, height))

    async def _overdue(self, progress: ProposalProgress) -> bool:
        round_ = progress.round
        if round_ is None or self._clock.now_ms() <= round_.until_ms:
            return False
        silent = ", ".join(box.party for box in round_.open)
        detail = f"nothing was heard in time of {silent}"
        return await self._write(progress, RoundAborted(progress.proposal_id, round_.attempt, _SILENT, detail))

    async def _ask(self, progress: ProposalProgress, contract: Contract, ask: Ask, height: int) -> bool:
        """The rules are asked once more: lists and sums may have changed since the verdict."""
        async with self._admitting:
            ruling = await self._office.verdicts.rule(contract, progress.proposal, height)
            if not ruling.allowed:
                return await self._end(progress, contract, _refused(progress, ruling.rules[0], ruling.detail))
            verdict = () if progress.verdict_height == height else (_passed(progress, ruling, height),)
            started, effects = self._round_of(progress, contract, ask)
            return await self._write(progress, *verdict, started, effects=effects)

    def _round_of(
        self, progress: ProposalProgress, contract: Contract, ask: Ask
    ) -> tuple[RoundStarted, tuple[SideEffect, ...]]:
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
        return fact, effects

    async def _complete(self, progress: ProposalProgress, contract: Contract, path: str, height: int) -> bool:
        """Combine, let the consensus engine judge every input, and write the one final transaction.

        From here on it may confirm, whatever node and rules say: it is watched with its coins held.
        """
        proposal = progress.proposal
        try:
            final = completed(contract, path, proposal.psbt, progress)
        except ContractError as error:
            detail = f"no witness can be made: {error}"
            return await self._write(progress, _refused(progress, SigningRefusal.JUDGE, detail))
        verdict = await asyncio.to_thread(self._office.judge.accepts, final.raw, spent_outputs(proposal.psbt))
        if not verdict.ok and verdict.failed_input is None:
            raise GatewayUnavailable(f"{progress.proposal_id}: the consensus engine gave no verdict; it is asked again")
        if not verdict.ok:
            detail = f"the consensus engine refuses input {verdict.failed_input}"
            return await self._write(progress, _refused(progress, SigningRefusal.JUDGE, detail))
        if proposal.message is not None:
            return await self._prove(progress, contract, proposal.message, final)
        done = _finalised(proposal.proposal_id, final, path)
        ruling = await self._office.verdicts.rule(contract, proposal, height)
        if not ruling.allowed:
            withheld = BroadcastWithheld(proposal.proposal_id, ruling.rules[0], ruling.detail)
            return await self._write(progress, done, withheld)
        effect = broadcast_effect(proposal.proposal_id, final.txid, final.raw, 1)
        return await self._write(progress, _passed(progress, ruling, height), done, effects=(effect,))

    async def _prove(self, progress: ProposalProgress, contract: Contract, message: str, signed: Transaction) -> bool:
        """The text for whoever asked, once it convinces us as it would convince him."""
        try:
            address, signature = control_text(contract, progress.proposal.places[0], message, signed)
        except Denied as denied:
            return await self._write(progress, _refused(progress, denied.rule, denied.detail))
        height = (await self._office.chain.tip()).height
        proven = ControlProven(proposal_id=progress.proposal_id, address=address, signature=signature, height=height)
        return await self._write(progress, proven)

    async def _released(self, progress: ProposalProgress, contract: Contract, height: int) -> bool:
        """What was withheld is broadcast once the rules allow it."""
        ruling = await self._office.verdicts.rule(contract, progress.proposal, height)
        if not ruling.allowed:
            return False
        assert progress.final is not None
        effect = broadcast_effect(progress.proposal_id, progress.final.txid, progress.final.raw, 1)
        return await self._write(progress, _passed(progress, ruling, height), effects=(effect,))

    async def _write(
        self,
        progress: ProposalProgress,
        *facts: msgspec.Struct,
        effects: Sequence[SideEffect] = (),
        actor: str = ACTOR,
    ) -> bool:
        events = tuple(codec.encode(fact, actor) for fact in facts)
        append = Append(proposal_stream(progress.proposal_id), events, progress.version)
        await self._journal.commit(Commit(appends=(append,), effects=tuple(effects)))
        return True


def _refused(progress: ProposalProgress, rule: str, detail: str) -> ProposalRefused:
    return ProposalRefused(progress.proposal_id, rule, detail)


def _passed(progress: ProposalProgress, ruling: Ruling, height: int) -> VerdictPassed:
    return VerdictPassed(progress.proposal_id, progress.proposal.txid, ruling.rules, height)


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
