"""From signatures to the transaction that goes out: the smallest witness that what is there allows.

Signatures are not verified here; whoever judges the transaction (the kernel, a node) does. Quorums and single keys are
our own code; every other miniscript is satisfied by btclib, non-malleably or not at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

from btclib.alias import Octets
from btclib.exceptions import BTClibException
from btclib_wallet.descriptors import SpendContext, miniscript
from ecc.exceptions import EccException

from shared.bitcoin.hashes import hash160
from shared.bitcoin.psbt.musig import summed
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.psbt.quorum import quorum
from shared.bitcoin.script import ScriptKind, kind, push
from shared.bitcoin.sighash import Sighasher, leaf_hash
from shared.bitcoin.transaction import Transaction, TxIn, TxOut, witness_bytes
from shared.errors import BitcoinMalformed

Witness = tuple[bytes, ...]

_EVEN: Final = b"\x02"


def finalise(psbt: Psbt) -> Transaction:
    """The whole transaction; BitcoinMalformed names the input where something is missing.

    Complete MuSig2 sessions are summed up first. An input that came finalised is taken as it is.
    """
    inputs = []
    for index, (entry, spender) in enumerate(zip(_summed(psbt), psbt.tx.inputs, strict=True)):
        if entry.is_final:
            inputs.append(replace(spender, script_sig=entry.final_script_sig or b"", witness=entry.final_witness or ()))
            continue
        try:
            inputs.append(_finalised(entry, spender, psbt.tx))
        except BitcoinMalformed as error:
            raise BitcoinMalformed(f"psbt input {index}: {error.detail}") from error
    return replace(psbt.tx, inputs=tuple(inputs))


def _summed(psbt: Psbt) -> tuple[PsbtInput, ...]:
    if not any(entry.musig_partial_signatures for entry in psbt.inputs):
        return psbt.inputs
    sighasher = Sighasher(psbt.tx, _all_spent(psbt))
    return tuple(
        summed(entry, index, sighasher) if entry.musig_partial_signatures else entry
        for index, entry in enumerate(psbt.inputs)
    )


def _all_spent(psbt: Psbt) -> list[TxOut]:
    spent = [entry.spent for entry in psbt.inputs if entry.spent is not None]
    if len(spent) < len(psbt.inputs):
        raise BitcoinMalformed("psbt: a Taproot signature needs the spent output of every input")
    return spent


def _finalised(entry: PsbtInput, spender: TxIn, tx: Transaction) -> TxIn:
    spent = entry.spent or entry.witness_utxo
    if spent is None:
        raise BitcoinMalformed("nothing tells which output it spends")
    program = entry.redeem_script if kind(spent.script) is ScriptKind.P2SH else spent.script
    spends = _Spend(entry, spender, tx)
    match kind(program or b""):
        case ScriptKind.P2WPKH:
            witness = spends.single_key(program or b"")
        case ScriptKind.P2WSH:
            witness = spends.witness_script()
        case ScriptKind.P2TR:
            witness = spends.taproot()
        case other:
            raise BitcoinMalformed(f"it spends an output of the kind {other}, only segwit ones are finalised here")
    return replace(spender, script_sig=push(program) if program and program != spent.script else b"", witness=witness)


class _Spend:
    def __init__(self, entry: PsbtInput, spender: TxIn, tx: Transaction) -> None:
        self._entry = entry
        self._context = SpendContext(
            sha256_preimages=entry.sha256_preimages,
            hash256_preimages=entry.hash256_preimages,
            ripemd160_preimages=entry.ripemd160_preimages,
            hash160_preimages=entry.hash160_preimages,
            locktime=tx.lock_time,
            sequence=spender.sequence,
            version=tx.version,
        )

    def single_key(self, program: bytes) -> Witness:
        for key, signature in self._entry.partial_signatures.items():
            if program[2:] == hash160(key):
                return (signature, key)
        raise BitcoinMalformed("the signature of its one key is missing")

    def witness_script(self) -> Witness:
        script = self._entry.witness_script
        if script is None:
            raise BitcoinMalformed("its witness script is missing")
        signatures = self._entry.partial_signatures
        many = quorum(script)
        if many is not None:
            found = [signatures[key] for key in many.keys if key in signatures][: many.needed]
            if len(found) == many.needed:
                return (b"", *found, script)
        known = {hash160(key): key for key in (*signatures, *self._entry.derivations)}
        return (*self._satisfied(script, miniscript.P2WSH, known, signatures), script)

    def taproot(self) -> Witness:
        if self._entry.tap_key_signature is not None:
            return (self._entry.tap_key_signature,)
        found = list(self._leaves())
        if not found:
            raise BitcoinMalformed("its key path is not signed, and the signatures satisfy none of its leaves")
        return min(found, key=lambda witness: len(witness_bytes(witness)))

    def _leaves(self) -> Iterator[Witness]:
        known = {hash160(key): key for key in self._entry.tap_derivations}
        for block, leaf in self._entry.tap_leaf_scripts.items():
            digest = leaf_hash(leaf.script, leaf.version)
            signatures = {
                _EVEN + key.key: signature
                for key, signature in self._entry.tap_script_signatures.items()
                if key.leaf_hash == digest
            }
            if signatures:
                try:
                    stack = self._satisfied(leaf.script, miniscript.TAPSCRIPT, known, signatures)
                except BitcoinMalformed:
                    continue
                yield (*stack, leaf.script, block)

    def _satisfied(
        self, script: bytes, context: str, known: Mapping[bytes, bytes], signatures: Mapping[bytes, bytes]
    ) -> Witness:
        try:
            node = miniscript.from_script(script, context, cast("Mapping[Octets, Octets]", known))
            return tuple(node.satisfy(cast("Mapping[Octets, Octets]", signatures), self._context))
        except (BTClibException, EccException) as error:
            raise BitcoinMalformed(f"what is there does not satisfy its script: {str(error)[:200]}") from error
