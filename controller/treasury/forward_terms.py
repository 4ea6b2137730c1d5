"""The terms of a forward as people read them: a few points of the curve instead of a thousand settlements."""

from controller.views.forward import ForwardTermsView, PayoutView
from shared.forward.curve import paid_sat, reached_at
from shared.wire.forward import ForwardTerms

_PARTS = 4


def terms_view(contract_id: str, name: str, terms: ForwardTerms) -> ForwardTermsView:
    hedge = terms.hedge
    return ForwardTermsView(
        contract_id=contract_id,
        name=name,
        event_id=terms.event_id,
        oracle_key=terms.oracle_key.hex(),
        settle_height=terms.settle_height,
        refund_height=terms.refund_height,
        hashrate_ghs=hedge.hashrate_ghs,
        duration_s=hedge.duration_s,
        reward_sat=hedge.reward_sat,
        price_sat=hedge.price_sat,
        miner_collateral_sat=hedge.miner_collateral_sat,
        buyer_collateral_sat=hedge.buyer_collateral_sat,
        miner_address=terms.miner_address,
        buyer_address=terms.buyer_address,
        fee_rate_sat_vb=terms.fee_rate_sat_vb,
        payouts=_payouts(terms),
    )


def _payouts(terms: ForwardTerms) -> tuple[PayoutView, ...]:
    """Where the miner gets nothing at last, each quarter of all, its own collateral, and all at first; as far as the
    oracle can tell.

    Amounts are those of the settlements, by the same rounding.
    """
    hedge, greatest = terms.hedge, terms.outcomes - 1
    wanted = {hedge.total_sat * part // _PARTS for part in range(1, _PARTS + 1)} | {hedge.miner_collateral_sat}
    nothing = (reached_at(hedge, 1) or 1) - 1
    found = {min(nothing // terms.unit, greatest)}
    for sat in wanted:
        at = reached_at(hedge, sat)
        found.add(greatest if at is None else min(-(-at // terms.unit), greatest))
    return tuple(_payout(terms, outcome) for outcome in sorted(found))


def _payout(terms: ForwardTerms, outcome: int) -> PayoutView:
    miner = paid_sat(terms.hedge, outcome, unit=terms.unit, rounding_sat=terms.rounding_sat)
    return PayoutView(difficulty=outcome * terms.unit, miner_sat=miner, buyer_sat=terms.hedge.total_sat - miner)
