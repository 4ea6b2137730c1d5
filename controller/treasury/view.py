"""States of the treasury turned into what people see."""

import base64
from collections.abc import Mapping

import msgspec

from controller.contracts.calendar import calendar
from controller.contracts.compiled import Compiled
from controller.contracts.cost import cost
from controller.contracts.model import Contract
from controller.contracts.ports import ContractCoin
from controller.contracts.proofs import KeptClaim, MeterSlots
from controller.contracts.route import Route, routes
from controller.contracts.sentence import sentence
from controller.contracts.template.payout import BatchPayout, RevenueSplit
from controller.signing.progress import ProposalProgress
from controller.treasury.boxes import KnownBox
from controller.treasury.form import filled_in
from controller.views.treasury import (
    AllowanceView,
    ApproverView,
    AskedBoxView,
    BoxView,
    ClaimView,
    CoinView,
    ComingPolicy,
    ContractSummary,
    ContractView,
    ControlView,
    DestinationView,
    DraftView,
    LimitsView,
    MeterView,
    OpeningView,
    PathView,
    PaymentView,
    PendingPolicy,
    PolicyView,
    ProposalView,
    RestartView,
    ScheduleView,
    UnfitView,
)
from shared.wire.codec import encode
from shared.wire.contract import SpendingPolicy, contract_id
from shared.wire.restart import LedgerRestart

FEE_RATES_SAT_VB = (1, 5, 20, 100)
_P2WSH_OUTPUT = bytes(34)


def box_view(box: KnownBox) -> BoxView:
    address, report = box.address, box.report
    return BoxView(
        box_id=address.box_id,
        site=address.site,
        node=address.node,
        heard_at_ms=box.heard_at_ms,
        height=None if report is None else report.height,
        ledger_seq=None if report is None else report.ledger_seq,
        ledger_head=None if report is None else report.ledger_head.hex(),
        clock_stale="" if report is None else report.clock_stale,
        stopped="" if report is None else report.stopped,
        public_keys=() if report is None else tuple(key.hex() for key in report.public_keys),
        allowances=()
        if report is None
        else tuple(AllowanceView(*msgspec.structs.astuple(one)) for one in report.allowances),
        unfit=() if report is None else tuple(UnfitView(one.contract_id, one.detail) for one in report.unfit),
    )


def summary_of(contract: Contract, balance_sat: int | None, height: int | None, open_proposals: int) -> ContractSummary:
    in_force = _in_force(contract, height)
    return ContractSummary(
        contract_id=contract.contract_id,
        name=contract.terms.name,
        template=contract.terms.template,
        phase=contract.phase.value,
        balance_sat=balance_sat,
        policy_version=None if in_force is None else in_force.policy_version,
        open_proposals=open_proposals,
    )


def contract_view(
    contract: Contract, coins: tuple[ContractCoin, ...] | None, height: int | None, open_proposals: int
) -> ContractView:
    """`coins` and `height` are None where the node cannot be asked."""
    found = routes(contract.terms.descriptor, contract.terms.parties)
    balance_sat = None if coins is None else sum(coin.amount_sat for coin in coins)
    in_force = _in_force(contract, height)
    return ContractView(
        summary=summary_of(contract, balance_sat, height, open_proposals),
        descriptor=contract.terms.descriptor,
        network=contract.terms.network,
        boxes=contract.boxes,
        schedule=_schedule(contract, height),
        paths=tuple(map(_path, found)),
        coins=None if coins is None or height is None else _coins(found, coins, height),
        policy=None if in_force is None else policy_view(in_force),
        coming=_coming(contract, height),
        pending=_pending(contract),
        closed_reason=contract.closed_reason,
        drafted_by=contract.drafted_by,
        drafted_at_ms=contract.drafted_at_ms,
    )


def draft_view(compiled: Compiled) -> DraftView:
    terms = compiled.terms
    return DraftView(
        contract_id=contract_id(terms),
        name=terms.name,
        template=terms.template,
        network=terms.network,
        descriptor=terms.descriptor,
        paths=tuple(map(_path, routes(terms.descriptor, terms.parties))),
        expires_at_height=compiled.expires_at_height,
    )


def meter_view(meter: MeterSlots) -> MeterView:
    return MeterView(
        **msgspec.structs.asdict(meter.series),
        node=meter.node,
        node_keys=tuple(sorted(meter.node_keys)),
        first_slot=meter.first_slot,
        last_slot=meter.last_slot,
        slots=meter.slots,
        missing=meter.missing,
    )


def claim_view(kept: KeptClaim) -> ClaimView:
    fact = kept.fact
    return ClaimView(
        claim_id=fact.claim_id,
        sentence=fact.sentence,
        site=fact.series.site,
        meter=fact.series.meter,
        slots=fact.slots,
        nonce=fact.nonce,
        expires=fact.expires,
        node_key=fact.node_key,
        kept_by=kept.kept_by,
        kept_at_ms=kept.kept_at_ms,
    )


def proposal_view(
    progress: ProposalProgress,
    contract: Contract,
    height: int | None,
    to_seal: dict[str, bytes],
    to_sign: bytes | None,
) -> ProposalView:
    proposal = progress.proposal
    in_force = _in_force(contract, height)
    return ProposalView(
        proposal_id=progress.proposal_id,
        contract_id=proposal.contract_id,
        contract=contract.terms.name,
        status=progress.status.value,
        path=proposal.path,
        payments=tuple(PaymentView(one.address, one.amount_sat, one.name) for one in proposal.payments),
        fee_sat=proposal.fee_sat,
        change_sat=proposal.change_sat,
        weight_wu=proposal.weight_wu,
        txid=proposal.txid,
        reason=proposal.reason,
        asked_by=progress.account,
        proposed_by=progress.proposer,
        proposed_at_ms=progress.proposed_at_ms,
        expiry_height=proposal.expiry_height,
        approved_by=tuple(progress.approvals),
        approvals_needed=None if in_force is None else in_force.approvals_needed,
        boxes=_asked(progress),
        block_height=None if progress.block is None else progress.block.height,
        rule=progress.rule,
        detail=progress.detail or _of_node(progress),
        psbt=base64.b64encode(proposal.psbt).decode(),
        to_seal=to_seal,
        to_sign=to_sign,
        replaces=proposal.replaces,
        replaced_by=progress.replaced_by,
        helps=proposal.helps,
        message=proposal.message,
        control=_control(progress, contract),
    )


def _control(progress: ProposalProgress, contract: Contract) -> ControlView | None:
    proven, message = progress.control, progress.proposal.message
    if proven is None or message is None:
        return None
    return ControlView(
        format="BIP-322 simple",
        network=contract.terms.network,
        contract=contract.terms.name,
        address=proven.address,
        message=message,
        signature=proven.signature,
        height=proven.height,
        proven_at_ms=progress.changed_at_ms,
    )


def restart_view(document: LedgerRestart) -> RestartView:
    return RestartView(
        box_id=document.box_id,
        ceremony=document.ceremony,
        ledger_seq=document.seq,
        ledger_head=document.head.hex(),
        to_sign=encode(document),
    )


def _of_node(progress: ProposalProgress) -> str:
    return f"the node does not take it yet: {progress.node_reason}" if progress.node_reason else ""


def _in_force(contract: Contract, height: int | None) -> SpendingPolicy | None:
    """None where the height is unknown: the newest policy may not count yet."""
    found = None if height is None else contract.policy_at(height)
    return None if found is None else found.policy


def _schedule(contract: Contract, height: int | None) -> ScheduleView | None:
    match filled_in(contract.parameters):
        case BatchPayout() as batch:
            due = None if height is None else batch.next_due_height(contract.terms.birth_height, height)
            return ScheduleView(payees=batch.payees, next_batch_height=due)
        case RevenueSplit(shares=shares):
            payees, weights = [share.payee for share in shares], [share.weight for share in shares]
            return ScheduleView(payees=tuple(payees), weights=tuple(weights))
        case _:
            return None


def _path(route: Route) -> PathView:
    path = route.path
    costs = cost(route, 1, (_P2WSH_OUTPUT, _P2WSH_OUTPUT), FEE_RATES_SAT_VB)
    return PathView(
        name=path.name,
        role=path.role,
        sentence=sentence(path),
        keys=path.keys,
        needed=path.needed,
        older_blocks=path.older_blocks,
        after_height=path.after_height,
        leaf=path.leaf,
        input_wu=route.input_wu,
        vsize_vb=costs.vsize_vb,
        fees_sat=dict(costs.fees_sat),
    )


def _coins(found: tuple[Route, ...], coins: tuple[ContractCoin, ...], height: int) -> tuple[CoinView, ...]:
    opening: dict[tuple[str, int], list[OpeningView]] = {}
    for date in calendar(found, coins, height):
        view = OpeningView(
            path=date.path, opens_at_height=date.opens_at_height, blocks_left=date.blocks_left, state=date.state.value
        )
        opening.setdefault((date.txid, date.vout), []).append(view)
    return tuple(
        CoinView(
            txid=coin.txid,
            vout=coin.vout,
            amount_sat=coin.amount_sat,
            height=coin.height,
            branch=coin.branch,
            index=coin.index,
            openings=tuple(opening.get((coin.txid, coin.vout), ())),
        )
        for coin in coins
    )


def policy_view(policy: SpendingPolicy) -> PolicyView:
    return PolicyView(
        policy_version=policy.policy_version,
        approvals_needed=policy.approvals_needed,
        approvers=tuple(ApproverView(name=one.name, person=one.person, role=one.role) for one in policy.approvers),
        owners=len(policy.owners),
        owners_needed=policy.owners_needed,
        allow_list=tuple(
            DestinationView(name=one.name, address=one.address, added_at_height=one.added_at_height)
            for one in policy.allow_list
        ),
        cooling_blocks=policy.cooling_blocks,
        limits=LimitsView(**msgspec.structs.asdict(policy.limits)),
        recovery_role_people=policy.recovery_role_people,
        witnesses_needed=policy.witnesses_needed,
    )


def _coming(contract: Contract, height: int | None) -> ComingPolicy | None:
    newest = contract.policies[-1] if contract.policies else None
    if newest is None or (height is not None and newest.from_height <= height):
        return None
    return ComingPolicy(policy=policy_view(newest.policy), from_height=newest.from_height)


def _pending(contract: Contract) -> PendingPolicy | None:
    pending = contract.pending
    if pending is None:
        return None
    owners = contract.policies[-1].policy if contract.policies else pending.policy
    return PendingPolicy(
        policy_version=pending.policy.policy_version,
        policy=policy_view(pending.policy),
        sealed=pending.sealed is not None,
        signed=len(pending.approvals),
        needed=owners.owners_needed,
        registered=tuple(pending.registered),
        refused={box: f"{no.rule}: {no.detail}" for box, no in pending.refusals.items()},
        to_sign=encode(pending.policy),
    )


def _asked(progress: ProposalProgress) -> tuple[AskedBoxView, ...]:
    round_ = progress.round
    if round_ is None:
        return ()
    states: Mapping[str, str] = dict.fromkeys(round_.taken, "answered") | round_.failed
    return tuple(
        AskedBoxView(
            party=box.party,
            node=box.node,
            state=states.get(name, "sent" if name in round_.sent else "waiting"),
            detail=round_.said.get(name, ""),
        )
        for name, box in round_.asked.items()
    )
