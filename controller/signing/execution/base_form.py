"""The base that all signers were asked about, read by comparing it with what our own writer would have written.

A base is made by this controller (`base_psbt`), so for a contract, a transaction and the previous transactions there is
one right form, byte for byte. Of it the transactions and the nonces of MuSig2 are news: the transactions are read here
and by wallycore, and everything else has to be what three readers have read when the worker began (`place.form_of`).
Nothing is left that two readers could read differently, and nothing that somebody could have put there.

Where a base is anything else it is read once more, by all three readers, only to tell what is wrong with it.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from controller.signing.execution.card import Card
from controller.signing.execution.place import PREVIOUS_TX, WITNESS_UTXO, Place
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.compact_size import Reader, compact_size
from shared.bitcoin.musig import NONCE_BYTES
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.scan import MAGIC, MAX_PSBT_BYTES, UNSIGNED_TX
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinMalformed, ContractError, Denied
from shared.wire.contract import SpendingPath

_END: Final = b"\x00"
_AMOUNT_BYTES: Final = 8


class Coin(NamedTuple):
    """What an input spends, where it is locked, and the nonces (66 bytes) of a MuSig2 key path by participant."""

    spent: TxOut
    place: Place
    nonces: Mapping[bytes, bytes]


class Base(NamedTuple):
    """`pieces` are the bytes of the base, cut in each input where its signatures belong."""

    tx: Transaction
    coins: tuple[Coin, ...]
    pieces: tuple[bytes, ...]

    @property
    def spent(self) -> list[TxOut]:
        return [coin.spent for coin in self.coins]


def read_base(card: Card, path: SpendingPath, raw: bytes) -> Base:
    """Denied: `execution.foreign-coin`, or by `base-malformed` and `base-foreign` what is wrong with the bytes."""
    try:
        return _read(card, path, raw)
    except ContractError as error:
        raise _named(card, raw, error.detail) from error


def _read(card: Card, path: SpendingPath, raw: bytes) -> Base:
    if len(raw) > MAX_PSBT_BYTES:
        raise BitcoinMalformed(f"psbt: {len(raw)} bytes are more than {MAX_PSBT_BYTES}")
    reader = Reader(raw, "psbt")
    _expect(reader, MAGIC + _head(UNSIGNED_TX), "the global map")
    tx = Transaction.parse(reader.chunk())
    if tx.has_witness or any(entry.script_sig for entry in tx.inputs):
        raise BitcoinMalformed("psbt: the unsigned transaction has signatures")
    if len({entry.outpoint for entry in tx.inputs}) < len(tx.inputs):
        raise BitcoinMalformed("psbt: two of its inputs spend the same coin")
    _expect(reader, _END, "the global map")
    coins, cuts = [], [0]
    places = card.places[path.name]
    for index, entry in enumerate(tx.inputs):
        coin = _coin(reader, places, entry, index)
        coins.append(coin)
        cuts.append(reader.position)
        _expect(reader, coin.place.after, f"input {index}")
    for index, output in enumerate(tx.outputs):
        known = card.change.get(output.script)
        if known is None or not reader.skips(known):
            _expect(reader, _END, f"output {index}")
    reader.end()
    cuts.append(len(raw))
    return Base(tx, tuple(coins), tuple([raw[start:end] for start, end in pairwise(cuts)]))


def _coin(reader: Reader, places: Mapping[bytes, Place], entry: TxIn, index: int) -> Coin:
    _expect(reader, _head(PREVIOUS_TX), f"input {index}")
    previous = Transaction.parse(reader.chunk())
    spent = _vouched(previous, entry.outpoint)
    place = places.get(spent.script)
    if place is None:
        raise Denied(SigningRefusal.FOREIGN_COIN, f"input {index} is no coin of this contract")
    amount = compact_size(_AMOUNT_BYTES + 1 + len(spent.script)) + spent.amount_sat.to_bytes(_AMOUNT_BYTES, "little")
    _expect(reader, _head(WITNESS_UTXO) + amount + place.before, f"input {index}")
    nonces = {}
    for head, participant in place.nonces:
        _expect(reader, head, f"the nonces of input {index}")
        nonces[participant] = reader.take(NONCE_BYTES)
    return Coin(spent, place, nonces)


def _vouched(previous: Transaction, outpoint: OutPoint) -> TxOut:
    """The output that the previous transaction proves."""
    if previous.txid != outpoint.txid or outpoint.vout >= len(previous.outputs):
        raise BitcoinMalformed(f"the previous transaction {previous.txid} has not made the coin {outpoint}")
    return previous.outputs[outpoint.vout]


def _head(key: bytes) -> bytes:
    return compact_size(len(key)) + key


def _expect(reader: Reader, known: bytes, where: str) -> None:
    if not reader.skips(known):
        raise BitcoinMalformed(f"{where} holds something else than this contract's own form")


def _named(card: Card, raw: bytes, detail: str) -> Denied:
    """What our readers say of bytes that are not what this contract writes."""
    try:
        psbt = Psbt.parse(raw)
    except ContractError as error:
        return Denied(SigningRefusal.BASE_MALFORMED, str(error))
    for index, entry in enumerate(psbt.inputs):
        if entry.spent is None or all(entry.spent.script not in places for places in card.places.values()):
            return Denied(SigningRefusal.FOREIGN_COIN, f"input {index} is no coin of {card.contract.terms.name}")
    return Denied(SigningRefusal.BASE_FOREIGN, detail)
