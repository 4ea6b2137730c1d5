"""What an execution costs before anybody signs: weight, signature operations, fee, the earliest block, who signs.

Weight (BIP-141): four times the bytes without witness, plus witness bytes, plus two for marker and flag. Signatures are
taken at their largest, so that the real transaction weighs the same or a byte less per ECDSA signature.
"""

from collections.abc import Mapping, Sequence

import msgspec

from controller.contracts.refusal import Refusal
from controller.contracts.route import Route
from shared.bitcoin.compact_size import compact_size_length
from shared.bitcoin.miniscript.cost import relay_vsize_vb
from shared.errors import Denied
from shared.wire.contract import Limits, SpendingPath

_MARKER_AND_FLAG_WU = 2


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one execution by one path. `vsize_vb` is the size by which nodes reckon fee rates.

    `signature_units` are used and allowed ones per input of a tapscript (BIP-342), None elsewhere. `fees_sat` by fee
    rate in sat/vB. `signers` of `keys` sign each input.
    """

    path: str
    inputs: int
    weight_wu: int
    vsize_vb: int
    sigop_cost: int
    signature_units: tuple[int, int] | None
    fees_sat: Mapping[int, int]
    keys: tuple[str, ...]
    signers: int


def cost(route: Route, inputs: int, output_scripts: Sequence[bytes], fee_rates_sat_vb: Sequence[int]) -> Cost:
    """Of spending `inputs` coins by `route` to these scripts."""
    weight_wu = transaction_wu([route] * inputs, output_scripts)
    sigop_cost = inputs * route.sigop_cost
    vsize_vb = relay_vsize_vb(weight_wu, sigop_cost)
    return Cost(
        path=route.path.name,
        inputs=inputs,
        weight_wu=weight_wu,
        vsize_vb=vsize_vb,
        sigop_cost=sigop_cost,
        signature_units=route.signature_units,
        fees_sat={rate: rate * vsize_vb for rate in fee_rates_sat_vb},
        keys=route.path.keys,
        signers=route.path.needed,
    )


def transaction_wu(inputs: Sequence[Route], output_scripts: Sequence[bytes]) -> int:
    """The largest weight of a transaction with an input by each of these routes."""
    outputs = sum(8 + compact_size_length(len(script)) + len(script) for script in output_scripts)
    frame = 4 + compact_size_length(len(inputs)) + compact_size_length(len(output_scripts)) + outputs + 4
    return 4 * frame + _MARKER_AND_FLAG_WU + sum(route.input_wu for route in inputs)


def check_budget(costs: Cost, fee_sat: int, limits: Limits) -> None:
    """Denied `budget.weight` or `budget.fee` where an execution is larger or dearer than its contract allows."""
    if costs.weight_wu > limits.weight_wu:
        raise Denied(
            Refusal.WEIGHT_BUDGET,
            f"{costs.weight_wu:,} weight units by {costs.path!r}, and the contract allows {limits.weight_wu:,};"
            " spend fewer coins at once",
        )
    if fee_sat > limits.fee_sat:
        raise Denied(Refusal.FEE_BUDGET, f"a fee of {fee_sat:,} sat, and the contract allows {limits.fee_sat:,}")
    if fee_sat > limits.fee_rate_sat_vb * costs.vsize_vb:
        raise Denied(
            Refusal.FEE_BUDGET,
            f"{fee_sat / costs.vsize_vb:,.1f} sat/vB, and the contract allows {limits.fee_rate_sat_vb:,}",
        )


def earliest_height(path: SpendingPath, coin_height: int) -> int:
    """The first block that may hold the spend of a coin that was confirmed in block `coin_height`.

    A relative lock of n opens n blocks after the coin's (BIP-68), an absolute lock of h in block h + 1 (BIP-65: the
    lock time must be below the block's height).
    """
    relative = coin_height + (path.older_blocks or 0)
    absolute = 0 if path.after_height is None else path.after_height + 1
    return max(relative, absolute)
