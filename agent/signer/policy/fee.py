"""The fee has two ceilings, because each alone can be passed: a large one hides in a large payment, a high rate in a
small transaction.
"""

from agent.signer.policy.case import Case
from agent.signer.policy.weight import signed_weight_wu
from agent.signer.rule import FEE_ABSOLUTE, FEE_NEGATIVE, FEE_RATE, LIMIT_WEIGHT
from shared.errors import Denied


def fee_is_bounded(case: Case) -> None:
    limits, fee_sat = case.accepted.policy.limits, case.fee_sat
    if fee_sat < 0:
        raise Denied(FEE_NEGATIVE, f"the outputs hold {-fee_sat} sat more than the inputs")
    if fee_sat > limits.fee_sat:
        raise Denied(FEE_ABSOLUTE, f"the fee is {fee_sat} sat; at most {limits.fee_sat}")
    weight_wu = signed_weight_wu(case)
    vsize_vb = (weight_wu + 3) // 4
    if fee_sat > limits.fee_rate_sat_vb * vsize_vb:
        raise Denied(FEE_RATE, f"{fee_sat} sat for {vsize_vb} vB is more than {limits.fee_rate_sat_vb} sat/vB")
    if weight_wu > limits.weight_wu:
        raise Denied(LIMIT_WEIGHT, f"signed it weighs {weight_wu} WU; at most {limits.weight_wu}")
