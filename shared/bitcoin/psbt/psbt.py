"""A transaction on its way to its signatures: what every role knows of each input and output.

BIP-174 (version 0), 370 (version 2), 371 (Taproot) and 373 (MuSig2). Whoever holds a `Psbt` holds one that fits
together: its previous transactions are the ones that its inputs spend, and what it says about amounts agrees.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

from shared.bitcoin.compact_size import compact_size
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.psbt import agreement
from shared.bitcoin.psbt.field import GLOBAL_FIELDS, INPUT_FIELDS, OUTPUT_FIELDS, Fields, read_map, write_map
from shared.bitcoin.psbt.lock_time import lock_time
from shared.bitcoin.psbt.scan import MAGIC, MAX_PSBT_BYTES, Scan, record_bytes, scan
from shared.bitcoin.psbt.value import PREIMAGE_HASHES, LeafKey, MusigKey, TapDerivation, TapLeaf, TreeLeaf
from shared.bitcoin.script import ScriptKind, kind
from shared.bitcoin.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed, PreviousMismatch

_NONE: Final[Mapping[Any, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PsbtInput:
    """What is known of one input. None and empty mean that the PSBT does not say.

    `sequence`, `required_time` and `required_height` exist in version 2 only; the outpoint and the sequence that count
    are those of `Psbt.tx`. `spent` is set by the `Psbt` that holds the input, see there.
    """

    previous_tx: Transaction | None = None
    witness_utxo: TxOut | None = None
    partial_signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    sighash_type: int | None = None
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    final_script_sig: bytes | None = None
    final_witness: tuple[bytes, ...] | None = None
    ripemd160_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    sha256_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    hash160_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    hash256_preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    sequence: int | None = None
    required_time: int | None = None
    required_height: int | None = None
    tap_key_signature: bytes | None = None
    tap_script_signatures: Mapping[LeafKey, bytes] = field(default_factory=dict)
    tap_leaf_scripts: Mapping[bytes, TapLeaf] = field(default_factory=dict)
    tap_derivations: Mapping[bytes, TapDerivation] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_merkle_root: bytes | None = None
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    musig_nonces: Mapping[MusigKey, bytes] = field(default_factory=dict)
    musig_partial_signatures: Mapping[MusigKey, bytes] = field(default_factory=dict)
    unknown: Mapping[bytes, bytes] = field(default_factory=dict)
    spent: TxOut | None = field(default=None, init=False, compare=False)

    @property
    def is_final(self) -> bool:
        return self.final_witness is not None or self.final_script_sig is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PsbtOutput:
    """What is known of one output beside its amount and script, which stand in `Psbt.tx`."""

    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    derivations: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_tree: tuple[TreeLeaf, ...] | None = None
    tap_derivations: Mapping[bytes, TapDerivation] = field(default_factory=dict)
    musig_participants: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    unknown: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Psbt:
    """`tx` is the unsigned transaction in both versions, one entry of `inputs` and `outputs` for each of its own.

    `fallback_lock_time` and `modifiable` (flags of BIP-370) exist in version 2 only. No slots: the bytes are kept.

    An input's `spent` is the output of its previous transaction. Where none is given it is the witness UTXO, but only
    if all inputs are Taproot: a BIP-143 signature commits to no other input's amount, so two lies in two PSBTs could
    turn the difference into a fee. Otherwise it is None.
    """

    version: int
    tx: Transaction
    inputs: tuple[PsbtInput, ...]
    outputs: tuple[PsbtOutput, ...]
    fallback_lock_time: int | None = None
    modifiable: int | None = None
    xpubs: Mapping[bytes, KeyOrigin] = field(default_factory=dict)
    unknown: Mapping[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.tx.inputs) or len(self.outputs) != len(self.tx.outputs):
            raise BitcoinMalformed("psbt: its maps are not as many as the inputs and outputs of its transaction")
        told = [
            _told(entry, spender.outpoint, index)
            for index, (entry, spender) in enumerate(zip(self.inputs, self.tx.inputs, strict=True))
        ]
        for index, entry in enumerate(self.inputs):
            _check_hash_types(entry, index)
        all_taproot = all(output is not None and kind(output.script) is ScriptKind.P2TR for output in told)
        vouched = (
            _vouched(entry, output if all_taproot or entry.previous_tx is not None else None)
            for entry, output in zip(self.inputs, told, strict=True)
        )
        object.__setattr__(self, "inputs", tuple(vouched))

    @staticmethod
    def parse(raw: bytes, *, quick: bool = False) -> "Psbt":
        """A PSBT that our scanner, wallycore and btclib read alike, field by field.

        `quick` (hot paths) asks wallycore alone, and for nothing but the transaction.

        BitcoinMalformed names the map and the field; BitcoinDisagreement the reader that sees something else.
        """
        found = scan(raw)
        psbt = _read(found)
        if quick:
            agreement.tx_agrees(raw, psbt.tx)
        else:
            agreement.fields_agree(raw, found, psbt.tx)
        if len({entry.outpoint for entry in psbt.tx.inputs}) < len(psbt.inputs):
            raise BitcoinMalformed("psbt: two of its inputs spend the same coin")
        return psbt

    @staticmethod
    def parse_base64(text: str) -> "Psbt":
        """The form of `.psbt` text and of Bitcoin Core's RPC; white space around it is let go."""
        if len(text) > 2 * MAX_PSBT_BYTES:
            raise BitcoinMalformed(f"psbt: {len(text)} characters are too many")
        try:
            return Psbt.parse(base64.b64decode(text.strip(), validate=True))
        except (binascii.Error, ValueError) as error:
            raise BitcoinMalformed("psbt: it is not base64") from error

    @property
    def base64(self) -> str:
        return base64.b64encode(self.raw).decode()

    @property
    def txid(self) -> str:
        """Final as long as no input needs a script signature (native segwit)."""
        return self.tx.txid

    @cached_property
    def raw(self) -> bytes:
        """Records in the order of their types: the same PSBT is always the same bytes."""
        parts = [MAGIC, _map_bytes(_values(self) | self._global_values(), GLOBAL_FIELDS)]
        for entry, spender in zip(self.inputs, self.tx.inputs, strict=True):
            parts.append(_map_bytes(_values(entry) | self._input_values(spender), INPUT_FIELDS))
        for out, paid in zip(self.outputs, self.tx.outputs, strict=True):
            parts.append(_map_bytes(_values(out) | self._output_values(paid), OUTPUT_FIELDS))
        return b"".join(parts)

    def _global_values(self) -> dict[str, Any]:
        if self.version == 0:
            return {"unsigned_tx": self.tx.base, "version": None}
        return {
            "tx_version": self.tx.version,
            "input_count": compact_size(len(self.inputs)),
            "output_count": compact_size(len(self.outputs)),
        }

    def _input_values(self, spender: TxIn) -> dict[str, Any]:
        if self.version == 0:
            return {}
        return {"previous_txid": spender.outpoint.txid, "output_index": spender.outpoint.vout}

    def _output_values(self, paid: TxOut) -> dict[str, Any]:
        if self.version == 0:
            return {}
        return {"amount_sat": paid.amount_sat, "script": paid.script}


def _told(entry: PsbtInput, outpoint: OutPoint, index: int) -> TxOut | None:
    """The spent output as the PSBT tells it; PreviousMismatch where it contradicts the outpoint or itself."""
    previous = entry.previous_tx
    if previous is None:
        return entry.witness_utxo
    if previous.txid != outpoint.txid:
        raise PreviousMismatch(
            f"psbt input {index}: the previous transaction has the id {previous.txid}, the input spends {outpoint}"
        )
    if outpoint.vout >= len(previous.outputs):
        raise PreviousMismatch(f"psbt input {index}: the previous transaction has no output {outpoint.vout}")
    output = previous.outputs[outpoint.vout]
    if entry.witness_utxo not in (None, output):
        raise PreviousMismatch(f"psbt input {index}: the witness UTXO is not the output of the previous transaction")
    return output


def _vouched(entry: PsbtInput, spent: TxOut | None) -> PsbtInput:
    """A copy where it differs: the same input may be part of another PSBT, which vouches for less."""
    if entry.spent == spent:
        return entry
    copy = replace(entry)
    object.__setattr__(copy, "spent", spent)
    return copy


def _check_hash_types(entry: PsbtInput, index: int) -> None:
    for signature in entry.partial_signatures.values() if entry.sighash_type is not None else ():
        if signature[-1] != entry.sighash_type:
            raise BitcoinMalformed(
                f"psbt input {index}: a signature of the hash type {signature[-1]:#04x}, the field says "
                f"{entry.sighash_type:#04x}"
            )


def _read(found: Scan) -> Psbt:
    top = read_map(found.globals, GLOBAL_FIELDS, found.version, "global map")
    inputs = [
        read_map(records, INPUT_FIELDS, found.version, f"input {index}") for index, records in enumerate(found.inputs)
    ]
    outputs = [
        read_map(records, OUTPUT_FIELDS, found.version, f"output {index}")
        for index, records in enumerate(found.outputs)
    ]
    for index, values in enumerate(inputs):
        _check_preimages(values, index)
    tx = found.tx or _transaction(top, inputs, outputs)
    return Psbt(
        version=found.version,
        tx=tx,
        inputs=tuple(PsbtInput(**values) for values in inputs),
        outputs=tuple(PsbtOutput(**values) for values in outputs),
        fallback_lock_time=top.get("fallback_lock_time"),
        modifiable=top.get("modifiable"),
        xpubs=top.get("xpubs", _NONE),
        unknown=top.get("unknown", _NONE),
    )


def _transaction(top: dict[str, Any], inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> Transaction:
    """The unsigned transaction of a version 2; takes its fields out of the values of the maps."""
    locks = [(values.get("required_time"), values.get("required_height")) for values in inputs]
    return Transaction(
        top["tx_version"],
        tuple(
            TxIn(
                OutPoint(values.pop("previous_txid"), values.pop("output_index")),
                sequence=values.get("sequence", SEQUENCE_FINAL),
            )
            for values in inputs
        ),
        tuple(TxOut(values.pop("amount_sat"), values.pop("script")) for values in outputs),
        lock_time(locks, top.get("fallback_lock_time")),
    )


def _check_preimages(values: dict[str, Any], index: int) -> None:
    for name, digest in PREIMAGE_HASHES.items():
        for expected, preimage in values.get(f"{name}_preimages", _NONE).items():
            if digest(preimage) != expected:
                raise BitcoinMalformed(f"psbt input {index}: a preimage does not have its {name} {expected.hex()}")


def _values(entry: Psbt | PsbtInput | PsbtOutput) -> dict[str, Any]:
    return {one.name: getattr(entry, one.name) for one in fields(entry)}


def _map_bytes(values: dict[str, Any], known: Fields) -> bytes:
    return record_bytes(write_map(values, known)) + b"\x00"
