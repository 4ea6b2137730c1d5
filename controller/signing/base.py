"""The PSBT from which every signer and every check starts: whole previous transactions, scripts, and whose keys."""

from typing import Any

from controller.signing.ownership import derived_at
from controller.signing.ports import Contract
from controller.signing.spending import Draft, derived_change
from shared.bitcoin.descriptor.derived import Derived
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.value import TapDerivation, TapLeaf
from shared.bitcoin.transaction import Transaction


def base_psbt(contract: Contract, draft: Draft) -> bytes:
    """Version 0, which every signer reads, the fields of BIP-371 and 373 included; checked by all our readers."""
    inputs = []
    for coin in draft.coins:
        previous = Transaction.parse(coin.previous_tx)
        fields = _fields(derived_at(contract, (coin.branch, coin.index)))
        inputs.append(PsbtInput(previous_tx=previous, witness_utxo=previous.outputs[coin.vout], **fields))
    outputs = [PsbtOutput() for _ in draft.tx.outputs]
    if draft.change_place is not None:
        outputs[draft.change_place] = _change(derived_change(contract, draft.change_index))
    psbt = Psbt(version=0, tx=draft.tx, inputs=tuple(inputs), outputs=tuple(outputs))
    return Psbt.parse(psbt.raw).raw


def _fields(derived: Derived) -> dict[str, Any]:
    if derived.internal_key is None:
        return {"witness_script": derived.witness_script, "derivations": derived.origins}
    return {
        "tap_internal_key": derived.internal_key,
        "tap_merkle_root": derived.merkle_root,
        "tap_leaf_scripts": {leaf.control_block: TapLeaf(leaf.script, leaf.version) for leaf in derived.leaves},
        "tap_derivations": _tap_derivations(derived),
        "musig_participants": {one.aggregate: one.participants for one in derived.aggregates},
    }


def _change(derived: Derived) -> PsbtOutput:
    if derived.internal_key is None:
        return PsbtOutput(witness_script=derived.witness_script, derivations=derived.origins)
    return PsbtOutput(tap_internal_key=derived.internal_key, tap_derivations=_tap_derivations(derived))


def _tap_derivations(derived: Derived) -> dict[bytes, TapDerivation]:
    found = {}
    for key, origin in derived.origins.items():
        leaves = tuple(leaf.leaf_hash for leaf in derived.leaves if key in leaf.keys)
        found[key[1:]] = TapDerivation(leaves, origin)
    return found
