"""Which fields the maps of a PSBT may hold: number, name, form of key and value, and the version it belongs to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.psbt import value
from shared.bitcoin.psbt.scan import Records
from shared.bitcoin.transaction import Transaction, witness_bytes
from shared.errors import BitcoinMalformed


@dataclass(frozen=True, slots=True)
class Field:
    """One type of record.

    `attribute` is its name in our values. Without `decode_key` the key is the type alone and the field stands at most
    once; with it the attribute is a mapping. `version` is the one PSBT version that may hold it, None for both.
    """

    name: str
    attribute: str
    decode: Callable[[bytes], Any] = bytes
    encode: Callable[[Any], bytes] = bytes
    decode_key: Callable[[bytes], Any] | None = None
    encode_key: Callable[[Any], bytes] = bytes
    version: int | None = None
    required: bool = False  # in its version


Fields = Mapping[int, Field]


def _raw(value: Any) -> bytes:
    return bytes(value.raw)


def _preimage(name: str) -> Field:
    size = 20 if "160" in name else 32
    return Field(f"PSBT_IN_{name.upper()}", f"{name}_preimages", decode_key=value.sized(size))


def _derivations(name: str) -> Field:
    return Field(name, "derivations", KeyOrigin.parse, value.origin_bytes, value.public_key)


def _tap_derivations(name: str) -> Field:
    return Field(name, "tap_derivations", value.tap_derivation, value.tap_derivation_bytes, decode_key=value.sized(32))


def _participants(name: str) -> Field:
    return Field(name, "musig_participants", value.participants, value.joined, value.plain_key)


GLOBAL_FIELDS: Final[Fields] = {
    0x00: Field("PSBT_GLOBAL_UNSIGNED_TX", "unsigned_tx", version=0, required=True),
    0x01: Field("PSBT_GLOBAL_XPUB", "xpubs", KeyOrigin.parse, value.origin_bytes, value.extended_public_key),
    0x02: Field("PSBT_GLOBAL_TX_VERSION", "tx_version", value.uint32, value.uint32_bytes, version=2, required=True),
    0x03: Field("PSBT_GLOBAL_FALLBACK_LOCKTIME", "fallback_lock_time", value.uint32, value.uint32_bytes, version=2),
    0x04: Field("PSBT_GLOBAL_INPUT_COUNT", "input_count", version=2, required=True),
    0x05: Field("PSBT_GLOBAL_OUTPUT_COUNT", "output_count", version=2, required=True),
    0x06: Field("PSBT_GLOBAL_TX_MODIFIABLE", "modifiable", value.modifiable, value.uint8_bytes, version=2),
    0xFB: Field("PSBT_GLOBAL_VERSION", "version", value.uint32, value.uint32_bytes),
}

INPUT_FIELDS: Final[Fields] = {
    0x00: Field("PSBT_IN_NON_WITNESS_UTXO", "previous_tx", Transaction.parse, _raw),
    0x01: Field("PSBT_IN_WITNESS_UTXO", "witness_utxo", value.output, value.output_bytes),
    0x02: Field("PSBT_IN_PARTIAL_SIG", "partial_signatures", value.ecdsa_signature, decode_key=value.public_key),
    0x03: Field("PSBT_IN_SIGHASH_TYPE", "sighash_type", value.uint32, value.uint32_bytes),
    0x04: Field("PSBT_IN_REDEEM_SCRIPT", "redeem_script"),
    0x05: Field("PSBT_IN_WITNESS_SCRIPT", "witness_script"),
    0x06: _derivations("PSBT_IN_BIP32_DERIVATION"),
    0x07: Field("PSBT_IN_FINAL_SCRIPTSIG", "final_script_sig"),
    0x08: Field("PSBT_IN_FINAL_SCRIPTWITNESS", "final_witness", value.witness, witness_bytes),
    0x0A: _preimage("ripemd160"),
    0x0B: _preimage("sha256"),
    0x0C: _preimage("hash160"),
    0x0D: _preimage("hash256"),
    0x0E: Field("PSBT_IN_PREVIOUS_TXID", "previous_txid", value.txid, value.txid_bytes, version=2, required=True),
    0x0F: Field("PSBT_IN_OUTPUT_INDEX", "output_index", value.uint32, value.uint32_bytes, version=2, required=True),
    0x10: Field("PSBT_IN_SEQUENCE", "sequence", value.uint32, value.uint32_bytes, version=2),
    0x11: Field("PSBT_IN_REQUIRED_TIME_LOCKTIME", "required_time", value.required_time, value.uint32_bytes, version=2),
    0x12: Field(
        "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", "required_height", value.required_height, value.uint32_bytes, version=2
    ),
    0x13: Field("PSBT_IN_TAP_KEY_SIG", "tap_key_signature", value.sized(64, 65)),
    0x14: Field("PSBT_IN_TAP_SCRIPT_SIG", "tap_script_signatures", value.sized(64, 65), bytes, value.leaf_key, _raw),
    0x15: Field(
        "PSBT_IN_TAP_LEAF_SCRIPT", "tap_leaf_scripts", value.tap_leaf, value.tap_leaf_bytes, value.control_block
    ),
    0x16: _tap_derivations("PSBT_IN_TAP_BIP32_DERIVATION"),
    0x17: Field("PSBT_IN_TAP_INTERNAL_KEY", "tap_internal_key", value.sized(32)),
    0x18: Field("PSBT_IN_TAP_MERKLE_ROOT", "tap_merkle_root", value.sized(32)),
    0x1A: _participants("PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS"),
    0x1B: Field("PSBT_IN_MUSIG2_PUB_NONCE", "musig_nonces", value.public_nonce, bytes, value.musig_key, _raw),
    0x1C: Field(
        "PSBT_IN_MUSIG2_PARTIAL_SIG", "musig_partial_signatures", value.sized(32), bytes, value.musig_key, _raw
    ),
}

OUTPUT_FIELDS: Final[Fields] = {
    0x00: Field("PSBT_OUT_REDEEM_SCRIPT", "redeem_script"),
    0x01: Field("PSBT_OUT_WITNESS_SCRIPT", "witness_script"),
    0x02: _derivations("PSBT_OUT_BIP32_DERIVATION"),
    0x03: Field("PSBT_OUT_AMOUNT", "amount_sat", value.amount_sat, value.amount_bytes, version=2, required=True),
    0x04: Field("PSBT_OUT_SCRIPT", "script", version=2, required=True),
    0x05: Field("PSBT_OUT_TAP_INTERNAL_KEY", "tap_internal_key", value.sized(32)),
    0x06: Field("PSBT_OUT_TAP_TREE", "tap_tree", value.tap_tree, value.tap_tree_bytes),
    0x07: _tap_derivations("PSBT_OUT_TAP_BIP32_DERIVATION"),
    0x08: _participants("PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS"),
}


def read_map(records: Records, fields: Fields, version: int, place: str) -> dict[str, Any]:
    """Attribute to value; what no field names (proprietary ones too) comes under `unknown`, by its whole key."""
    found: dict[str, Any] = {}
    unknown: Records = {}
    for key, raw in records.items():
        field = fields.get(key[0])
        if field is None:
            unknown[key] = raw
            continue
        if field.version not in (None, version):
            raise BitcoinMalformed(f"psbt {place}: {field.name} has no place in version {version}")
        try:
            if field.decode_key is not None:
                found.setdefault(field.attribute, {})[field.decode_key(key[1:])] = field.decode(raw)
            elif len(key) == 1:
                found[field.attribute] = field.decode(raw)
            else:
                raise BitcoinMalformed(f"the key has {len(key) - 1} bytes of data, it takes none")
        except BitcoinMalformed as error:
            raise BitcoinMalformed(f"psbt {place}, {field.name}: {error.detail}") from error
    for field in fields.values():
        if field.required and field.version == version and field.attribute not in found:
            raise BitcoinMalformed(f"psbt {place}: {field.name} is missing, version {version} requires it")
    if unknown:
        found["unknown"] = unknown
    return found


def write_map(values: Mapping[str, Any], fields: Fields) -> Records:
    """Records in the order of their types, and of key data within a type; None and empty mappings are left out."""
    records: Records = {}
    for number, field in fields.items():
        found = values.get(field.attribute)
        if found is None:
            continue
        if field.decode_key is None:
            records[bytes((number,))] = field.encode(found)
        else:
            written = {bytes((number,)) + field.encode_key(key): field.encode(one) for key, one in found.items()}
            records.update(sorted(written.items()))
    records.update(sorted(values.get("unknown", {}).items()))
    return records
