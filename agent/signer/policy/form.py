"""The PSBT as a document: read by two implementations, nothing foreign in it, nothing left open."""

from agent.signer.policy.case import Case
from agent.signer.rule import (
    INPUT_PREVOUT_MISMATCH,
    PSBT_DISAGREE,
    PSBT_FOREIGN_FIELDS,
    PSBT_MALFORMED,
    PSBT_MODIFIABLE,
)
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.errors import BitcoinDisagreement, BitcoinMalformed, Denied, PreviousMismatch

MOST_BYTES = 1 << 20
MOST_INPUTS = 500


def read(raw: bytes) -> Psbt:
    """`Denied` where one reader cannot read it or two read it differently."""
    if len(raw) > MOST_BYTES:
        raise Denied(PSBT_MALFORMED, f"a PSBT of {len(raw)} bytes; at most {MOST_BYTES}")
    try:
        psbt = Psbt.parse(raw)
    except PreviousMismatch as error:
        raise Denied(INPUT_PREVOUT_MISMATCH, error.detail) from error
    except BitcoinDisagreement as error:
        raise Denied(PSBT_DISAGREE, error.detail) from error
    except BitcoinMalformed as error:
        raise Denied(PSBT_MALFORMED, error.detail) from error
    if not 1 <= len(psbt.inputs) <= MOST_INPUTS:
        raise Denied(PSBT_MALFORMED, f"{len(psbt.inputs)} inputs; 1 to {MOST_INPUTS} are signed at once")
    return psbt


def nothing_modifiable(case: Case) -> None:
    """BIP-370: whoever may still add an input or an output may change what was approved."""
    if case.psbt.modifiable:
        raise Denied(PSBT_MODIFIABLE, f"its modifiable flags are {case.psbt.modifiable:#04x}; clear them")


def nothing_foreign(case: Case) -> None:
    psbt = case.psbt
    if psbt.unknown or any(each.unknown for each in psbt.inputs) or any(each.unknown for each in psbt.outputs):
        raise Denied(PSBT_FOREIGN_FIELDS, "it holds fields that this box does not know")
    for index, claimed in enumerate(psbt.inputs):
        if claimed.is_final:
            raise Denied(PSBT_FOREIGN_FIELDS, f"input {index} is finalised already")


def no_foreign_signatures(case: Case) -> None:
    """Signatures and nonces may come along, by keys of the contract only."""
    for index, (place, claimed) in enumerate(zip(case.places, case.psbt.inputs, strict=True)):
        foreign = _signers(claimed) - _known(place.derived.keys)
        if foreign:
            raise Denied(PSBT_FOREIGN_FIELDS, f"input {index} carries a signature by the foreign key {foreign.pop()}")


def _signers(claimed: PsbtInput) -> set[str]:
    """x-only keys in hex: leaf signatures name no parity."""
    whole = [*claimed.partial_signatures]
    whole += [key.participant for key in (*claimed.musig_nonces, *claimed.musig_partial_signatures)]
    return {key[-32:].hex() for key in whole} | {key.key.hex() for key in claimed.tap_script_signatures}


def _known(keys: tuple[bytes, ...]) -> set[str]:
    return {key[-32:].hex() for key in keys}
