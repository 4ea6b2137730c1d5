"""A PSBT from what a wallet knows: whole previous transactions, and what the descriptor derives."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from shared.bitcoin.descriptor.derived import Derived
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.value import TapDerivation, TapLeaf, TreeLeaf
from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinMalformed


class Coin(NamedTuple):
    """What an input spends: the transaction that made it, and the script that it is locked with."""

    previous_tx: Transaction
    derived: Derived


def create(tx: Transaction, coins: Sequence[Coin], own: Sequence[Derived | None] = (), *, version: int = 0) -> Psbt:
    """`coins` stand in the order of the inputs, `own` in that of the outputs, None for somebody else's.

    Every input carries its whole previous transaction and the spent output, which air-gapped signers want both.
    BitcoinMalformed where a coin is not what its input spends or is not locked with its script.
    """
    if len(coins) != len(tx.inputs) or len(own) not in (0, len(tx.outputs)):
        raise BitcoinMalformed("psbt: one coin for each input, and one entry for each output, are needed")
    outputs = [output_fields(derived) if derived else PsbtOutput() for derived in own]
    psbt = Psbt(
        version=0,
        tx=tx,
        inputs=tuple(_input(coin, entry.outpoint.vout) for coin, entry in zip(coins, tx.inputs, strict=True)),
        outputs=tuple(outputs) or tuple(PsbtOutput() for _ in tx.outputs),
    )
    for index, (coin, entry) in enumerate(zip(coins, psbt.inputs, strict=True)):
        if entry.spent is None or entry.spent.script != coin.derived.script:
            raise BitcoinMalformed(f"psbt input {index}: its coin is not locked with the script derived for it")
    return psbt if version == 0 else to_v2(psbt)


def output_fields(derived: Derived) -> PsbtOutput:
    """What tells a signer that an output is the descriptor's own."""
    if derived.internal_key is None:
        return PsbtOutput(
            redeem_script=derived.redeem_script,
            witness_script=derived.witness_script,
            derivations=derived.origins,
        )
    tree = tuple(TreeLeaf(leaf.depth, leaf.version, leaf.script) for leaf in derived.leaves)
    return PsbtOutput(tap_tree=tree or None, **_taproot(derived))


def to_v2(psbt: Psbt) -> Psbt:
    """The same in version 2, nothing modifiable; a version 2 as it is."""
    if psbt.version == 2:
        return psbt
    inputs = tuple(
        replace(entry, sequence=spender.sequence) for entry, spender in zip(psbt.inputs, psbt.tx.inputs, strict=True)
    )
    return replace(psbt, version=2, inputs=inputs, fallback_lock_time=psbt.tx.lock_time)


def to_v0(psbt: Psbt) -> Psbt:
    """The same in version 0, the lock time decided; BitcoinMalformed while it is modifiable."""
    if psbt.version == 0:
        return psbt
    if psbt.modifiable:
        raise BitcoinMalformed("psbt: inputs or outputs may still change, version 0 has no place for that")
    inputs = tuple(replace(entry, sequence=None, required_time=None, required_height=None) for entry in psbt.inputs)
    return replace(psbt, version=0, inputs=inputs, fallback_lock_time=None, modifiable=None)


def _input(coin: Coin, vout: int) -> PsbtInput:
    derived = coin.derived
    spent = coin.previous_tx.outputs[vout] if vout < len(coin.previous_tx.outputs) else None
    if derived.internal_key is None:
        return PsbtInput(
            previous_tx=coin.previous_tx,
            witness_utxo=spent,
            redeem_script=derived.redeem_script,
            witness_script=derived.witness_script,
            derivations=derived.origins,
        )
    return PsbtInput(
        previous_tx=coin.previous_tx,
        witness_utxo=spent,
        tap_leaf_scripts={leaf.control_block: TapLeaf(leaf.script, leaf.version) for leaf in derived.leaves},
        tap_merkle_root=derived.merkle_root,
        **_taproot(derived),
    )


def _taproot(derived: Derived) -> dict[str, Any]:
    return {
        "tap_internal_key": derived.internal_key,
        "tap_derivations": tap_derivations(derived),
        "musig_participants": {one.aggregate: one.participants for one in derived.aggregates},
    }


def tap_derivations(derived: Derived) -> dict[bytes, TapDerivation]:
    """By x-only key: keys, and aggregates with the path from what their participants make (BIP-328)."""
    origins = {one.key: one.origin for one in derived.aggregates} | dict(derived.origins)
    return {
        key[1:]: TapDerivation(tuple(leaf.leaf_hash for leaf in derived.leaves if key in leaf.keys), origin)
        for key, origin in origins.items()
    }
