"""An address of a contract as one path spends it: all that its maps in a PSBT hold, as bytes, before a base comes."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from controller.signing.combine import path_leaf
from controller.signing.ownership import expressions, key_path_aggregate, keys_of_party
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from shared.bitcoin.compact_size import compact_size
from shared.bitcoin.descriptor.derived import Derived, Leaf
from shared.bitcoin.musig import NONCE_BYTES, KeyAggregate
from shared.bitcoin.psbt.build import Coin, create
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.scan import Records, record_bytes, scan
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.wire.contract import SpendingPath

PREVIOUS_TX: Final = b"\x00"
WITNESS_UTXO: Final = b"\x01"
PARTIAL_SIGNATURE: Final = b"\x02"
TAP_KEY_SIGNATURE: Final = b"\x13"
TAP_LEAF_SIGNATURE: Final = b"\x14"
MUSIG_NONCE: Final = b"\x1b"
MUSIG_PARTIAL: Final = b"\x1c"
_SAMPLE_COIN: Final = OutPoint("01" * 32, 0)
_SAMPLE_SAT: Final = 100_000


class Form(NamedTuple):
    """Of an address: its script, what an input holds beside previous transaction and amount, and the map of change."""

    derived: Derived
    records: Records
    output_map: bytes


class Signer(NamedTuple):
    """Who may sign: the party, its key as the descriptor writes it, and as the witness holds it."""

    party: str
    text: str
    key: bytes


class Place(NamedTuple):
    """`before` and `after` are the bytes of the input's map from its amount on, around nonces and signatures.

    `nonces` are the heads of their records with the participant's key, `signers` go by the key of the record that they
    add; `keys` are all keys of the script by their text.
    """

    derived: Derived
    leaf: Leaf | None
    aggregate: KeyAggregate | None
    before: bytes
    nonces: tuple[tuple[bytes, bytes], ...]
    after: bytes
    signers: Mapping[bytes, Signer]
    keys: Mapping[str, bytes]


def form_of(derived: Derived) -> Form:
    """By our own writer, and read by all three readers: each base is compared with these bytes."""
    previous = Transaction(2, (TxIn(_SAMPLE_COIN),), (TxOut(_SAMPLE_SAT, derived.script),), 0)
    tx = Transaction(2, (TxIn(OutPoint(previous.txid, 0)),), previous.outputs, 0)
    raw = create(tx, [Coin(previous, derived)], [derived]).raw
    Psbt.parse(raw)
    found = scan(raw)
    records = {key: value for key, value in found.inputs[0].items() if key not in (PREVIOUS_TX, WITNESS_UTXO)}
    return Form(derived, records, record_bytes(found.outputs[0]) + b"\x00")


def place_of(contract: Contract, path: SpendingPath, form: Form) -> Place:
    """The address as this path spends it; records stand in the order of their types, as our writer puts them."""
    derived, leaf = form.derived, path_leaf(path, form.derived)
    aggregate = key_path_aggregate(derived)[1] if is_musig(contract, path) else None
    kind = _record(derived, leaf, aggregate, b"")[:1]
    head = compact_size(len(derived.script)) + derived.script
    texts = [one.text for one in expressions(contract)]
    return Place(
        derived,
        leaf,
        aggregate,
        head + record_bytes({key: value for key, value in form.records.items() if key[:1] < kind}),
        _nonces(aggregate),
        record_bytes({key: value for key, value in form.records.items() if key[:1] > kind}) + b"\x00",
        dict(_signers(contract, path, derived, leaf, aggregate)),
        {text: key if leaf is None else key[1:] for text, key in zip(texts, derived.keys, strict=True)},
    )


def _record(derived: Derived, leaf: Leaf | None, aggregate: KeyAggregate | None, key: bytes) -> bytes:
    """The key of the record that the holder of `key` adds."""
    if aggregate is not None:
        return MUSIG_PARTIAL + key + aggregate.public_key
    if leaf is not None:
        return TAP_LEAF_SIGNATURE + key[1:] + leaf.leaf_hash
    return PARTIAL_SIGNATURE + key if derived.internal_key is None else TAP_KEY_SIGNATURE


def _nonces(aggregate: KeyAggregate | None) -> tuple[tuple[bytes, bytes], ...]:
    if aggregate is None:
        return ()
    keys = {MUSIG_NONCE + key + aggregate.public_key: key for key in sorted(aggregate.public_keys)}
    size = compact_size(NONCE_BYTES)
    return tuple((compact_size(len(record)) + record + size, key) for record, key in keys.items())


def _signers(
    contract: Contract, path: SpendingPath, derived: Derived, leaf: Leaf | None, aggregate: KeyAggregate | None
) -> Iterator[tuple[bytes, Signer]]:
    texts = {key: one.text for one, key in zip(expressions(contract), derived.keys, strict=True)}
    checked = derived.keys if leaf is None else leaf.keys
    for party in path.keys:
        for key in keys_of_party(contract, party, derived).intersection(checked):
            record = _record(derived, leaf, aggregate, key)
            yield record, Signer(party, texts[key], key if leaf is None else key[1:])
