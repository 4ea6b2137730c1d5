"""What people, boxes and the chain do to contracts. Every change is durable before it is answered."""

import msgspec

from controller.contracts.approval import merged, signed_by
from controller.contracts.book import ContractBook
from controller.contracts.compiled import Compiled
from controller.contracts.event import (
    AnyContractEvent,
    BoxesAskedAgain,
    BoxRefused,
    BoxRegistered,
    ContractActivated,
    ContractClosed,
    ContractDrafted,
    ContractExpired,
    ContractFunded,
    FundingLost,
    OwnerApproved,
    PolicyDrafted,
    PolicySealed,
    PolicyWithdrawn,
    codec,
    contract_stream,
)
from controller.contracts.model import Contract, Phase, PolicyDraft, evolve
from controller.contracts.ports import Coins, ContractCoin
from controller.contracts.refusal import Refusal
from controller.contracts.registration import effects
from controller.journal import Append, Commit, Journal, SideEffect
from shared.errors import Conflict, Denied
from shared.wire.contract import SpendingPolicy, contract_id

ACTOR = "controller"
SAFE_DEPTH = 6


class BoxAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a box said to a registration. `rule` is empty where it took it."""

    contract_id: str
    policy_version: int
    box_id: str
    effective_height: int
    ledger_seq: int
    ledger_head: str
    rule: str = ""
    detail: str = ""


class ContractService:
    """`Denied` carries the rule's id of every refusal; Conflict tells that somebody else wrote first.

    `book` is the read model. Coins come from the port; the caller asks `observe` whenever the chain has moved.
    """

    def __init__(self, journal: Journal, coins: Coins) -> None:
        self.book = ContractBook()
        self._journal = journal
        self._coins = coins
        journal.subscribe(self.book.fold)

    async def draft(self, compiled: Compiled, boxes: tuple[str, ...], *, actor: str, succeeds: str = "") -> Contract:
        """Write down what a template compiled; `boxes` hold keys of it and must all register it.

        Denied `contract.exists` for terms that are known, `contract.unknown-box` without a box, `contract.unknown`
        where `succeeds` names no contract.
        """
        new_id = contract_id(compiled.terms)
        if self.book.find(new_id) is not None:
            raise Denied(Refusal.EXISTS, f"these terms are contract {new_id[:12]} already; change name or epoch")
        if not boxes or len(set(boxes)) != len(boxes):
            raise Denied(Refusal.UNKNOWN_BOX, "name each signing box of the contract once, at least one")
        if succeeds:
            self.book.get(succeeds)
        fact = ContractDrafted(
            contract_id=new_id,
            terms=compiled.terms,
            policy=compiled.policy,
            parameters=compiled.parameters,
            boxes=boxes,
            expires_at_height=compiled.expires_at_height,
            succeeds=succeeds,
        )
        append = Append(contract_stream(new_id), (codec.encode(fact, actor),), 0)
        await self._journal.commit(Commit(appends=(append,)))
        return self.book.get(new_id)

    async def draft_policy(self, policy: SpendingPolicy, *, actor: str) -> Contract:
        """Propose the next policy of a contract that lives; the owners of the present one sign it."""
        state = self.book.get(policy.contract_id)
        return await self._write(state, PolicyDrafted(state.contract_id, policy), actor=actor)

    async def withdraw_policy(self, of: str, reason: str, *, actor: str) -> Contract:
        """Take back a policy that too few owners signed. Denied `contract.policy-sealed` once enough have."""
        state = self.book.get(of)
        version = _awaited(state).policy.policy_version
        return await self._write(state, PolicyWithdrawn(of, version, _said(reason)), actor=actor)

    async def approve(self, of: str, sealed: bytes, *, actor: str) -> Contract:
        """Take one owner's signature on the policy that waits; with the last one needed, boxes are asked to register.

        Denied `contract.not-owner`, `contract.other-policy`, `contract.approved-already`.
        """
        state = self.book.get(of)
        pending = _awaited(state)
        if pending.sealed is not None:
            raise Denied(Refusal.APPROVED_ALREADY, "enough owners have signed this policy")
        owners = state.policies[-1].policy if state.policies else pending.policy
        signer = signed_by(sealed, pending, owners)
        version = pending.policy.policy_version
        approved = OwnerApproved(of, version, signer, sealed)
        after = evolve(state, approved)
        collected = _awaited(after)
        if len(collected.approvals) < owners.owners_needed:
            return await self._write(state, approved, actor=actor)
        whole = PolicySealed(of, version, merged(collected, collected.approvals.values()))
        told = effects(after, collected)
        return await self._write(state, approved, whole, actor=actor, side_effects=told)

    async def ask_again(self, of: str, *, actor: str) -> Contract:
        """Tell the boxes that have not taken the sealed policy once more: after a refusal that was mended, say."""
        state = self.book.get(of)
        pending = _awaited(state)
        again = BoxesAskedAgain(of, pending.policy.policy_version, pending.attempts + 1)
        after = evolve(state, again)
        return await self._write(state, again, actor=actor, side_effects=effects(after, _awaited(after)))

    async def box_answered(self, answer: BoxAnswer) -> Contract:
        """What a box said; an answer that is known already changes nothing. Boxes may answer at the same moment."""
        while True:
            try:
                return await self._box_answered(answer)
            except Conflict:
                continue

    async def _box_answered(self, answer: BoxAnswer) -> Contract:
        state = self.book.get(answer.contract_id)
        version = answer.policy_version
        if any(ready.policy.policy_version == version for ready in state.policies):
            return state
        pending = _awaited(state)
        if pending.policy.policy_version == version and answer.box_id in pending.registered:
            return state
        if answer.rule:
            no = BoxRefused(answer.contract_id, version, answer.box_id, answer.rule, answer.detail)
            same = pending.refusals.get(answer.box_id) == no
            return state if same else await self._write(state, no, actor=answer.box_id)
        yes = BoxRegistered(
            contract_id=answer.contract_id,
            policy_version=version,
            box_id=answer.box_id,
            effective_height=answer.effective_height,
            ledger_seq=answer.ledger_seq,
            ledger_head=answer.ledger_head,
        )
        return await self._write(state, yes, actor=answer.box_id)

    async def observe(self, of: str) -> Contract:
        """Compare a contract with the chain: funded, gone again, deep enough, past its deadline."""
        state = self.book.get(of)
        if state.phase not in (Phase.REGISTERED, Phase.FUNDED, Phase.ACTIVE):
            return state
        height = await self._coins.height()
        coins = await self._coins.unspent(state.terms)
        facts: list[AnyContractEvent] = []
        after = state
        while (fact := _seen(after, height, coins)) is not None:
            facts.append(fact)
            after = evolve(after, fact)
        return await self._write(state, *facts, actor=ACTOR) if facts else state

    async def close(self, of: str, reason: str, *, actor: str, successor: str = "") -> Contract:
        """End a contract that holds nothing. Denied `contract.not-empty` while the chain has a coin of it."""
        state = self.book.get(of)
        if successor:
            self.book.get(successor)
        if state.phase not in (Phase.DRAFT, Phase.APPROVED) and (left := await self._coins.unspent(state.terms)):
            amount_sat = sum(coin.amount_sat for coin in left)
            raise Denied(Refusal.NOT_EMPTY, f"{amount_sat:,} sat in {len(left)} coins are still in it; move them first")
        return await self._write(state, ContractClosed(of, _said(reason), successor), actor=actor)

    async def _write(
        self,
        state: Contract,
        *facts: AnyContractEvent,
        actor: str,
        side_effects: tuple[SideEffect, ...] = (),
    ) -> Contract:
        """Only what the state machine takes, and only onto the state that the decision was made on."""
        after = state
        for fact in facts:
            after = evolve(after, fact)
        events = tuple(codec.encode(fact, actor) for fact in facts)
        append = Append(contract_stream(state.contract_id), events, state.version)
        await self._journal.commit(Commit(appends=(append,), effects=side_effects))
        return self.book.get(state.contract_id)


def _seen(state: Contract, height: int, coins: tuple[ContractCoin, ...]) -> AnyContractEvent | None:
    """The next thing that the chain proves about a contract."""
    buried = sorted((coin.height, coin.txid, coin.vout, coin.amount_sat) for coin in coins if coin.height is not None)
    match state.phase:
        case Phase.REGISTERED if buried:
            first_height, txid, vout, amount_sat = buried[0]
            return ContractFunded(state.contract_id, txid, vout, amount_sat, first_height)
        case Phase.FUNDED if state.first_coin is not None:
            coin = state.first_coin
            if not any(found[1:3] == (coin.txid, coin.vout) for found in buried):
                return FundingLost(state.contract_id, coin.txid, coin.vout)
            if height - coin.height + 1 >= SAFE_DEPTH:
                return ContractActivated(state.contract_id, height)
    deadline = state.expires_at_height
    if deadline is not None and height >= deadline and state.phase is not Phase.EXPIRED:
        return ContractExpired(state.contract_id, height)
    return None


def _awaited(state: Contract) -> PolicyDraft:
    if state.pending is None:
        raise Denied(Refusal.POLICY_VERSION, f"no policy of contract {state.contract_id[:12]} waits for anybody")
    return state.pending


def _said(reason: str) -> str:
    if not reason.strip():
        raise Denied(Refusal.REASON_MISSING, "say why; the reason stays with the contract")
    return reason.strip()
