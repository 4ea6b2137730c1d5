"""A hash-rate forward: what the owners sealed, against the contract, the oracle, the chain and the policy in force.

The worst that can happen to us is the loss of our stake, so that is what approvals name and what is debited.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.policy.approvals import one_proposes_and_others_approve
from agent.signer.policy.case import Case
from agent.signer.policy.contract import Accepted, Contract
from agent.signer.policy.document import sealed_by_owners
from agent.signer.policy.outputs import destinations_are_listed
from agent.signer.rule import (
    FEE_ABSOLUTE,
    FEE_RATE,
    FORWARD_NONCE_REUSED,
    FORWARD_TERMS,
    FORWARD_TOO_LATE,
    REGISTER_POLICY,
)
from shared.bitcoin.address import script_of
from shared.bitcoin.dlc import NumberEvent
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.transaction import OutPoint, TxOut
from shared.errors import BitcoinMalformed, Denied
from shared.forward.oracle import announced, check_refund
from shared.forward.settlement import Deal, closing_fee_sat, funding_fee_sat, stake_sat
from shared.wire.contract import SpendingPath
from shared.wire.forward import DEED_DOMAIN, ForwardDeed, other
from shared.wire.signing import ForwardRequest, SigningRequest

BLOCKS_LEFT = 144
"""A day at least between signing and settlement: later, who signs last already sees how it will end."""


@dataclass(frozen=True)
class Bargain:
    """One deed and all that follows from it; `deal` is derived here, never received."""

    deed: ForwardDeed
    contract: Contract
    accepted: Accepted
    deal: Deal

    @property
    def our_key(self) -> bytes:
        return self.deed.terms.key(self.deed.side)

    @property
    def their_key(self) -> bytes:
        return self.deed.terms.key(other(self.deed.side))

    @property
    def our_stake(self) -> OutPoint:
        return self.deal.miner_stake if self.deed.side == "miner" else self.deal.buyer_stake

    @property
    def stake_sat(self) -> int:
        return stake_sat(self.deed.terms, self.deed.side)


def bargain(sealed: bytes, contract: Contract, accepted: Accepted) -> Bargain:
    """`register.owners` where too few owners sealed the deed, `forward.terms` where it is not of this contract,
    `forward.oracle` where the announcement is not the oracle's.
    """
    policy = accepted.policy
    owners = [VerifyKey(owner) for owner in policy.owners]
    try:
        deed = sealed_by_owners(DEED_DOMAIN, sealed, owners, policy.owners_needed, ForwardDeed)
    except Denied as denied:
        if denied.rule != REGISTER_POLICY:
            raise
        raise Denied(FORWARD_TERMS, denied.detail) from denied
    if (deed.contract_id, deed.terms.network) != (contract.id, contract.terms.network):
        raise Denied(FORWARD_TERMS, f"it is a deed for contract {deed.contract_id[:12]} on {deed.terms.network}")
    event = announced(deed.terms, deed.announcement)
    try:
        deal = Deal(deed.terms, _outpoint(deed.miner_stake), _outpoint(deed.buyer_stake), event)
        paid_to = [script_of(each, deal.network) for each in (deed.terms.miner_address, deed.terms.buyer_address)]
    except BitcoinMalformed as error:
        raise Denied(FORWARD_TERMS, error.detail) from error
    if contract.descriptor.derive(0, 0).witness_script != deal.witness_script:
        raise Denied(FORWARD_TERMS, "the 2-of-2 of the deed's keys is not the first address of the contract")
    if paid_to[0] == paid_to[1]:
        raise Denied(FORWARD_TERMS, "both sides are paid to one address")
    return Bargain(deed, contract, accepted, deal)


def may_be_promised(made: Bargain, request: ForwardRequest, now: ChainTime, others: Iterable[ForwardDeed]) -> None:
    """All that has to hold before anything of a forward is signed; `others` are the deeds that this box took before."""
    terms = made.deed.terms
    if made.deal.miner_stake == made.deal.buyer_stake:
        raise Denied(FORWARD_TERMS, "the deed names one coin for both stakes; it is good for the way back only")
    if now.height + BLOCKS_LEFT > terms.settle_height:
        raise Denied(
            FORWARD_TOO_LATE,
            f"it settles at {terms.settle_height:,}, it is {now.height:,}; {BLOCKS_LEFT} blocks before it is too late",
        )
    check_refund(terms, made.deal.event.maturity_s, now.height, now.mtp_s)
    _check_nonces(made.deal.event, terms.oracle_key, others, made.contract.id)
    case = _Funding.of(made, request, now.height)
    destinations_are_listed(case)
    _check_fees(made)
    one_proposes_and_others_approve(case)


@dataclass(frozen=True)
class _Funding(Case):
    """The funding as approvals and allow-list see it: our stake leaves, and either side may be paid."""

    made: Bargain

    @staticmethod
    def of(made: Bargain, request: ForwardRequest, height: int) -> "_Funding":
        contract = made.contract
        path = contract.terms.paths[0]
        tx = made.deal.funding
        psbt = Psbt(version=0, tx=tx, inputs=(PsbtInput(),) * len(tx.inputs), outputs=(PsbtOutput(),))
        return _Funding(_as_request(request, path), psbt, contract, made.accepted, path, height, made)

    @cached_property
    def payments(self) -> tuple[TxOut, ...]:
        terms = self.made.deed.terms
        scripts = (script_of(each, self.made.deal.network) for each in (terms.miner_address, terms.buyer_address))
        return tuple(TxOut(terms.hedge.total_sat, script) for script in scripts)

    @cached_property
    def external_sat(self) -> int:
        return self.made.stake_sat


def _as_request(request: ForwardRequest, path: SpendingPath) -> SigningRequest:
    return SigningRequest(
        request_id=request.request_id,
        site=request.site,
        node=request.node,
        contract_id=request.contract_id,
        policy_version=request.policy_version,
        path=path.name,
        psbt=b"",
        proposal=request.proposal,
        approvals=request.approvals,
        expires_at_ms=request.expires_at_ms,
        expires_at_height=request.expires_at_height,
    )


def _check_nonces(event: NumberEvent, oracle_key: bytes, others: Iterable[ForwardDeed], contract_id: str) -> None:
    """Two numbers signed under one nonce tell the oracle's key to everybody, and with it every outcome."""
    for known in others:
        if known.contract_id == contract_id or known.terms.oracle_key != oracle_key:
            continue
        if known.terms.event_id == event.event_id:
            continue
        if set(event.nonces) & set(announced(known.terms, known.announcement).nonces):
            raise Denied(
                FORWARD_NONCE_REUSED,
                f"the oracle uses a nonce of {known.terms.event_id!r} for {event.event_id!r} again: leave this oracle",
            )


def _check_fees(made: Bargain) -> None:
    terms, limits = made.deed.terms, made.accepted.policy.limits
    if terms.fee_rate_sat_vb > limits.fee_rate_sat_vb:
        raise Denied(FEE_RATE, f"{terms.fee_rate_sat_vb} sat/vB; the policy allows {limits.fee_rate_sat_vb}")
    fees_sat = funding_fee_sat(terms) + closing_fee_sat(terms)
    if fees_sat > limits.fee_sat:
        raise Denied(FEE_ABSOLUTE, f"funding and closing cost {fees_sat} sat; the policy allows {limits.fee_sat}")


def _outpoint(text: str) -> OutPoint:
    txid, vout = text.split(":")
    return OutPoint(txid, int(vout))
