"""A transaction that does not confirm: pay more in its place (BIP-125), or let a child pay for it.

Every version of a family spends all coins of the first, so no two versions can confirm, and a box debits a replacement
for the extra fee only.
"""

from collections.abc import Sequence
from random import Random

from controller.signing.board import ProposalBoard
from controller.signing.fee import fee_sat
from controller.signing.model import COMPLETE, Coin, ProposalStatus
from controller.signing.ports import Contract
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.selection import Selection
from controller.signing.spending import Draft, Terms, descriptor_of, drafted, laid_out, shape_of
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction
from shared.errors import Denied

_UNCONFIRMED = COMPLETE - {ProposalStatus.CONFIRMED}
_REPLACEABLE = _UNCONFIRMED | {ProposalStatus.LAPSED}


def check_unconfirmed(progress: ProposalProgress) -> None:
    """Denied where there is nothing to replace or to help."""
    if progress.status not in _REPLACEABLE:
        detail = f"{progress.proposal_id} is {progress.status}; only a signed, unconfirmed transaction can be helped"
        raise Denied(SigningRefusal.NOT_REPLACEABLE, detail)


def replaced(
    terms: Terms,
    progress: ProposalProgress,
    free: Sequence[Coin],
    board: ProposalBoard,
    least_sat_kvb: int,
    random: Random,
) -> Draft:
    """The same payments from the same coins (and more, where the change does not give it) at a higher fee.

    BIP-125 rules 3 and 4: it pays what it evicts, its own descendants included, and its own relay beside that.
    """
    check_unconfirmed(progress)
    former = coins_of(progress)
    payments = progress.proposal.payments
    draft = drafted(terms, payments, free, former, random)
    evicted_sat = progress.proposal.fee_sat + sum(child.proposal.fee_sat for child in descendants(progress, board))
    least_sat = evicted_sat + fee_sat(draft.selection.weight_wu, least_sat_kvb)
    if draft.selection.fee_sat < least_sat:
        detail = f"a fee of {draft.selection.fee_sat} sat; to replace {evicted_sat} sat nodes ask for {least_sat}"
        raise Denied(SigningRefusal.FEE_TOO_LOW, detail)
    return draft


def child_of(
    terms: Terms, progress: ProposalProgress, board: ProposalBoard, least_sat_kvb: int, random: Random
) -> Draft:
    """Spends the change of a stuck transaction back to the contract, with the fee that lifts the whole chain of its
    unconfirmed ancestors to the rate of `terms`.
    """
    check_unconfirmed(progress)
    coin = change_of(progress, terms.contract)
    if coin is None:
        raise Denied(SigningRefusal.NOTHING_STUCK, f"{progress.proposal_id} has no change that a child could spend")
    shape = shape_of(terms, ())
    weight_wu = shape.weight_wu(1, change=True)
    chain = [progress, *ancestors(progress, board)]
    chain_wu = sum(one.final.weight_wu for one in chain if one.final is not None)
    paid_sat = sum(one.proposal.fee_sat for one in chain)
    fee = max(fee_sat(chain_wu + weight_wu, terms.rate_sat_kvb) - paid_sat, fee_sat(weight_wu, least_sat_kvb))
    rest_sat = coin.amount_sat - fee
    if rest_sat < shape.change_dust_sat:
        detail = (
            f"the change of {coin.amount_sat} sat does not pay the {fee} sat that its parents need; replace instead"
        )
        raise Denied(SigningRefusal.NO_ROOM, detail)
    return laid_out(terms, (), Selection((coin,), rest_sat, fee, weight_wu, 0), random)


def coins_of(progress: ProposalProgress) -> list[Coin]:
    """The coins of a proposal, from its own PSBT: the chain may show them as spent already."""
    base = Psbt.parse(progress.proposal.psbt, quick=True)
    coins = []
    for entry, (txid, vout), (branch, index) in zip(
        base.inputs, progress.proposal.inputs, progress.proposal.places, strict=True
    ):
        assert entry.previous_tx is not None
        spent = entry.previous_tx.outputs[vout]
        coins.append(
            Coin(
                txid=txid,
                vout=vout,
                amount_sat=spent.amount_sat,
                script=spent.script,
                branch=branch,
                index=index,
                height=0,  # it was ripe when it was chosen, and cannot become less so
                previous_tx=entry.previous_tx.raw,
            )
        )
    return coins


def change_of(progress: ProposalProgress, contract: Contract) -> Coin | None:
    """The change output of a final transaction as a coin that nobody has confirmed yet."""
    proposal, final = progress.proposal, progress.final
    if final is None or proposal.change_place is None or proposal.change_index is None:
        return None
    output = Transaction.parse(final.raw).outputs[proposal.change_place]
    return Coin(
        txid=final.txid,
        vout=proposal.change_place,
        amount_sat=output.amount_sat,
        script=output.script,
        branch=descriptor_of(contract.terms.descriptor, contract.terms.network).change_branch,
        index=proposal.change_index,
        height=None,
        previous_tx=final.raw,
    )


def ancestors(progress: ProposalProgress, board: ProposalBoard) -> list[ProposalProgress]:
    """Final and unconfirmed proposals on whose outputs this one stands, however far."""
    by_txid = {one.final.txid: one for one in board.open() if one.final is not None and one.status in _UNCONFIRMED}
    found: dict[str, ProposalProgress] = {}
    todo = [progress]
    while todo:
        for txid, _ in todo.pop().proposal.inputs:
            parent = by_txid.get(txid)
            if parent is not None and txid not in found:
                found[txid] = parent
                todo.append(parent)
    return list(found.values())


def descendants(progress: ProposalProgress, board: ProposalBoard) -> list[ProposalProgress]:
    """Final proposals that spend outputs of this one, however far: they go with it when it is replaced."""
    found: list[ProposalProgress] = []
    todo = [progress]
    while todo:
        parent = todo.pop()
        for one in board.open():
            spends = parent.final is not None and any(txid == parent.final.txid for txid, _ in one.proposal.inputs)
            if spends and one.final is not None and one not in found:
                found.append(one)
                todo.append(one)
    return found
