"""A contract as a state machine over its events, from the first draft to the last coin."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

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
)
from controller.contracts.refusal import Refusal
from shared.errors import Denied
from shared.wire.contract import ContractTerms, SpendingPolicy


class Phase(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"  # the owners signed; boxes are asked to register
    REGISTERED = "registered"  # every box took it: addresses may be given out
    FUNDED = "funded"  # a first coin is in a block
    ACTIVE = "active"
    EXPIRED = "expired"  # past its deadline and not closed yet
    CLOSED = "closed"


LIVE = frozenset({Phase.REGISTERED, Phase.FUNDED, Phase.ACTIVE, Phase.EXPIRED})


@dataclass(frozen=True)
class FirstCoin:
    txid: str
    vout: int
    amount_sat: int
    height: int


@dataclass(frozen=True)
class PolicyDraft:
    """A policy on its way: signed by owners, sealed when enough have signed, in force when every box has it."""

    policy: SpendingPolicy
    approvals: Mapping[str, bytes] = field(default_factory=dict)  # key id to sealed policy
    sealed: bytes | None = None
    registered: Mapping[str, int] = field(default_factory=dict)  # box to the height from which it counts there
    refusals: Mapping[str, BoxRefused] = field(default_factory=dict)
    attempts: int = 0  # to tell the boxes again


@dataclass(frozen=True)
class PolicyInForce:
    """Every box has it; from `from_height` on it counts in all of them."""

    policy: SpendingPolicy
    sealed: bytes
    from_height: int


@dataclass(frozen=True, kw_only=True)
class Contract:
    """`policies` are those that every box has, oldest first; `pending` is the one to come."""

    contract_id: str
    terms: ContractTerms
    parameters: str
    boxes: tuple[str, ...]
    expires_at_height: int | None
    succeeds: str
    drafted_by: str
    drafted_at_ms: int
    phase: Phase = Phase.DRAFT
    policies: tuple[PolicyInForce, ...] = ()
    pending: PolicyDraft | None = None
    first_coin: FirstCoin | None = None
    closed_reason: str = ""
    successor: str = ""
    version: int = 1

    @property
    def may_propose(self) -> bool:
        """Whether executions may be proposed; an expired contract is settled or refunded."""
        return self.phase in (Phase.ACTIVE, Phase.EXPIRED)

    def policy_at(self, height: int) -> PolicyInForce | None:
        """The policy that counts at a height of the chain; None before the first one."""
        return next((policy for policy in reversed(self.policies) if policy.from_height <= height), None)


_ALLOWED: dict[type[AnyContractEvent], frozenset[Phase]] = {
    PolicyDrafted: LIVE,
    PolicyWithdrawn: LIVE,
    OwnerApproved: LIVE | {Phase.DRAFT},
    PolicySealed: LIVE | {Phase.DRAFT},
    BoxesAskedAgain: LIVE | {Phase.APPROVED},
    BoxRegistered: LIVE | {Phase.APPROVED},
    BoxRefused: LIVE | {Phase.APPROVED},
    ContractFunded: frozenset({Phase.REGISTERED}),
    FundingLost: frozenset({Phase.FUNDED}),
    ContractActivated: frozenset({Phase.FUNDED}),
    ContractExpired: frozenset({Phase.REGISTERED, Phase.FUNDED, Phase.ACTIVE}),
    ContractClosed: frozenset(Phase) - {Phase.CLOSED},
}


def drafted(event: ContractDrafted, *, actor: str, at_ms: int) -> Contract:
    """The first state."""
    return Contract(
        contract_id=event.contract_id,
        terms=event.terms,
        parameters=event.parameters,
        boxes=event.boxes,
        expires_at_height=event.expires_at_height,
        succeeds=event.succeeds,
        drafted_by=actor,
        drafted_at_ms=at_ms,
        pending=PolicyDraft(event.policy),
    )


def evolve(state: Contract, event: AnyContractEvent) -> Contract:
    """The state after `event`, one version further.

    Denied (`contract.wrong-phase`, `contract.policy-version`, `contract.approved-already`, `contract.unknown-box`,
    `contract.no-such-coin`) for an event that this state does not know.
    """
    if state.phase not in _ALLOWED.get(type(event), frozenset()):
        raise Denied(
            Refusal.WRONG_PHASE,
            f"contract {state.contract_id[:12]} is {state.phase}; {type(event).__name__} does not apply",
        )
    match event:
        case PolicyDrafted():
            _check_next_version(state, event.policy)
            after = replace(state, pending=PolicyDraft(event.policy))
        case PolicyWithdrawn() | OwnerApproved() | PolicySealed() | BoxesAskedAgain() | BoxRegistered() | BoxRefused():
            after = _policy_step(state, _pending(state, event.policy_version), event)
        case ContractFunded():
            coin = FirstCoin(event.txid, event.vout, event.amount_sat, event.height)
            after = replace(state, phase=Phase.FUNDED, first_coin=coin)
        case FundingLost():
            after = _unfunded(state, event)
        case ContractActivated():
            after = replace(state, phase=Phase.ACTIVE)
        case ContractExpired():
            after = replace(state, phase=Phase.EXPIRED)
        case ContractClosed():
            after = replace(
                state, phase=Phase.CLOSED, pending=None, closed_reason=event.reason, successor=event.successor
            )
        case _:
            after = state
    return replace(after, version=state.version + 1)


PolicyEvent = PolicyWithdrawn | OwnerApproved | PolicySealed | BoxesAskedAgain | BoxRegistered | BoxRefused


def _policy_step(state: Contract, pending: PolicyDraft, event: PolicyEvent) -> Contract:
    match event:
        case PolicyWithdrawn():
            _check_unsealed(pending)
            return replace(state, pending=None)
        case OwnerApproved():
            if event.key_id in pending.approvals:
                raise Denied(Refusal.APPROVED_ALREADY, f"key {event.key_id} signed this policy already")
            return replace(state, pending=replace(pending, approvals={**pending.approvals, event.key_id: event.sealed}))
        case PolicySealed():
            _check_unsealed(pending)
            phase = Phase.APPROVED if state.phase is Phase.DRAFT else state.phase
            return replace(state, phase=phase, pending=replace(pending, sealed=event.sealed))
        case BoxesAskedAgain():
            _check_sealed(pending)
            return replace(state, pending=replace(pending, attempts=event.attempt))
        case BoxRegistered():
            return _registered(state, pending, event)
        case BoxRefused():
            _check_box(state, event.box_id)
            refusals = {**pending.refusals, event.box_id: event}
            return replace(state, pending=replace(pending, refusals=refusals))


def _registered(state: Contract, pending: PolicyDraft, event: BoxRegistered) -> Contract:
    """Once the last box has it, the policy is in force, and a new contract may be paid."""
    _check_box(state, event.box_id)
    sealed = _check_sealed(pending)
    registered = {**pending.registered, event.box_id: event.effective_height}
    refusals = {box: refusal for box, refusal in pending.refusals.items() if box != event.box_id}
    if len(registered) < len(state.boxes):
        return replace(state, pending=replace(pending, registered=registered, refusals=refusals))
    phase = Phase.REGISTERED if state.phase is Phase.APPROVED else state.phase
    ready = PolicyInForce(pending.policy, sealed, max(registered.values()))
    return replace(state, phase=phase, policies=(*state.policies, ready), pending=None)


def _unfunded(state: Contract, event: FundingLost) -> Contract:
    coin = state.first_coin
    if coin is None or (coin.txid, coin.vout) != (event.txid, event.vout):
        raise Denied(Refusal.NO_SUCH_COIN, f"{event.txid}:{event.vout} is not the coin that funded the contract")
    return replace(state, phase=Phase.REGISTERED, first_coin=None)


def _pending(state: Contract, policy_version: int) -> PolicyDraft:
    if state.pending is None or state.pending.policy.policy_version != policy_version:
        raise Denied(Refusal.POLICY_VERSION, f"policy {policy_version} is not the one that waits")
    return state.pending


def _check_sealed(pending: PolicyDraft) -> bytes:
    if pending.sealed is None:
        version = pending.policy.policy_version
        raise Denied(Refusal.POLICY_VERSION, f"policy {version} was not signed by enough owners yet")
    return pending.sealed


def _check_unsealed(pending: PolicyDraft) -> None:
    """What enough owners signed is valid wherever it has got to, and nobody can call it back."""
    if pending.sealed is not None:
        raise Denied(
            Refusal.POLICY_SEALED,
            f"the owners sealed policy {pending.policy.policy_version}, and any box may have it: tell the boxes again"
            " until all have, then draft the next one",
        )


def _check_next_version(state: Contract, policy: SpendingPolicy) -> None:
    present = state.policies[-1].policy.policy_version if state.policies else 0
    if state.pending is not None or policy.policy_version != present + 1:
        raise Denied(
            Refusal.POLICY_VERSION,
            f"the next policy has version {present + 1} and is drafted while no other waits"
            f" (given: {policy.policy_version})",
        )


def _check_box(state: Contract, box_id: str) -> None:
    if box_id not in state.boxes:
        raise Denied(Refusal.UNKNOWN_BOX, f"box {box_id!r} holds no key of contract {state.contract_id[:12]}")
