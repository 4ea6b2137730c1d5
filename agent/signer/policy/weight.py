"""What a transaction weighs once it is signed, before it is."""

from agent.signer.policy.case import Case
from agent.signer.policy.ways import path_input_wu
from shared.bitcoin.miniscript.cost import INPUT_BASE_WU

_MARKER_WU = 2  # marker and flag, BIP-144


def signed_weight_wu(case: Case) -> int:
    """Weight (BIP-141) with the largest witness of the path in each input."""
    witness_wu = path_input_wu(case.descriptor, case.contract.terms.parties, case.path) - INPUT_BASE_WU
    return len(case.tx.base) * 4 + _MARKER_WU + len(case.tx.inputs) * witness_wu
