"""What raising a fee would cost, told before anything is proposed. The controller reckons it anew and exactly."""

from typing import NamedTuple

from controller.console.format import money, number, sat
from controller.views.treasury import LimitsView, ProposalView

WAYS = {
    "replace": "Replace it: the same payments, a higher fee",
    "child": "Add a child: it spends the change, pays for both",
}
_WU_PER_VB = 4
_CHILD_FRAME_WU = 4 * (10 + 43) + 2
"""Version, counts, lock time and one output of the contract (P2WSH or P2TR), and marker and flag."""


class HigherFee(NamedTuple):
    """`fee_sat` of the new transaction, `more_sat` than was offered before."""

    fee_sat: int
    more_sat: int
    rate: float


def rate_of(proposal: ProposalView) -> float:
    """sat/vB at the largest size."""
    return _WU_PER_VB * proposal.fee_sat / max(1, proposal.weight_wu)


def replacement(proposal: ProposalView, rate_sat_vb: int) -> HigherFee:
    fee_sat = -(-rate_sat_vb * proposal.weight_wu // _WU_PER_VB)
    return HigherFee(fee_sat, fee_sat - proposal.fee_sat, rate_sat_vb)


def child(proposal: ProposalView, rate_sat_vb: int, input_wu: int) -> HigherFee:
    """So that parent and child together pay the rate."""
    own_wu = _CHILD_FRAME_WU + input_wu
    both_sat = -(-rate_sat_vb * (proposal.weight_wu + own_wu) // _WU_PER_VB)
    fee_sat = max(both_sat - proposal.fee_sat, -(-own_wu // _WU_PER_VB))
    return HigherFee(fee_sat, fee_sat, rate_sat_vb)


def said(proposal: ProposalView, way: str, new: HigherFee, limits: LimitsView | None) -> tuple[str, str]:
    """Old and new figures, and what stands against it (empty where nothing does)."""
    old = f"Now {money(proposal.fee_sat)}, {number(rate_of(proposal), 1)}\u00a0sat/vB."
    if way == "child":
        figures = (
            f"{old} The child pays ≈ {money(new.fee_sat)}; both together then pay {number(new.rate, 0)}\u00a0sat/vB."
        )
        room_sat = proposal.change_sat
    else:
        figures = f"{old} Then ≈ {money(new.fee_sat)}, {number(new.rate, 0)}\u00a0sat/vB: {sat(new.more_sat)} more."
        room_sat = proposal.change_sat + proposal.fee_sat
    return figures, _against(proposal, way, new, limits, room_sat)


def _against(proposal: ProposalView, way: str, new: HigherFee, limits: LimitsView | None, room_sat: int) -> str:
    if new.rate <= rate_of(proposal):
        return "This is no more than it pays now; choose a higher rate."
    if limits is not None and new.fee_sat > limits.fee_sat:
        return f"The policy allows a fee of {sat(limits.fee_sat)} at most; boxes would refuse it."
    if limits is not None and new.rate > limits.fee_rate_sat_vb:
        return f"The policy allows {number(limits.fee_rate_sat_vb)}\u00a0sat/vB at most; boxes would refuse it."
    if way == "child" and new.fee_sat > room_sat:
        return f"The change of {sat(room_sat)} does not pay that; replace the payment instead."
    return ""
