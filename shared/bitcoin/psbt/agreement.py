"""Other readers of the same bytes: what they see has to be what we see.

Nobody knows what bytes mean that two implementations read differently, so a difference is refused and never voted on.
The transaction is compared on every path. Where there is time for it, every field is: what a library read and wrote
again must be the records that came in.
"""

from typing import Final

import wallycore
from btclib_wallet.psbt import Psbt as BtclibPsbt

from shared.bitcoin.psbt.scan import VERSION, Records, Scan, scan
from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinDisagreement, BitcoinMalformed

_PREVIOUS_TX: Final = b"\x00"
_NOTHING_MODIFIABLE: Final = (b"\x06", b"\x00")


def tx_agrees(raw: bytes, tx: Transaction) -> None:
    """Wallycore, which is quick, reads the PSBT and finds this unsigned transaction; else BitcoinDisagreement."""
    _by_wallycore(raw, tx)


def fields_agree(raw: bytes, ours: Scan, tx: Transaction) -> None:
    """Wallycore and btclib read the PSBT, find this transaction and keep every field; else BitcoinDisagreement."""
    psbt = _by_wallycore(raw, tx)
    try:
        written = bytes(wallycore.psbt_to_bytes(psbt, 0))
    except ValueError as error:  # an outpoint of nothing but zeros, which no coin has
        raise BitcoinDisagreement("psbt: wallycore cannot write what it has read") from error
    for reader, again in (("wallycore", written), ("btclib", _written_by_btclib(raw, tx))):
        if again != raw:  # the same bytes are the same records
            _same_fields(reader, again, ours)


def _written_by_btclib(raw: bytes, tx: Transaction) -> bytes:
    try:
        psbt = BtclibPsbt.parse(raw)
        base = psbt.tx.serialize(include_witness=False)
        written = psbt.serialize(check_validity=False)  # `parse` has just checked the whole, each map is checked again
    except (ValueError, RuntimeError, TypeError) as error:  # it has errors of each of these
        raise BitcoinDisagreement(f"psbt: btclib refuses what our scanner reads: {error}") from error
    _same_tx("btclib", base, tx)
    return written


def _by_wallycore(raw: bytes, tx: Transaction) -> object:
    try:
        psbt = wallycore.psbt_from_bytes(raw, wallycore.WALLY_PSBT_PARSE_FLAG_STRICT)
        base = wallycore.tx_to_bytes(wallycore.psbt_extract(psbt, wallycore.WALLY_PSBT_EXTRACT_NON_FINAL), 0)
    except ValueError as error:
        raise BitcoinDisagreement("psbt: wallycore refuses what our scanner reads") from error
    _same_tx("wallycore", bytes(base), tx)
    return psbt


def _same_tx(reader: str, base: bytes, tx: Transaction) -> None:
    if base != tx.base:
        raise BitcoinDisagreement(f"psbt: {reader} reads another transaction than the one with the id {tx.txid}")


def _same_fields(reader: str, written: bytes, ours: Scan) -> None:
    try:
        theirs = scan(written)
    except BitcoinMalformed as error:
        raise BitcoinDisagreement(f"psbt: {reader} writes it in another way: {error.detail}") from error
    places = [("global map", _plain(ours.globals), _plain(theirs.globals))]
    places += [(f"input {at}", *pair) for at, pair in enumerate(zip(ours.inputs, theirs.inputs, strict=True))]
    places += [(f"output {at}", *pair) for at, pair in enumerate(zip(ours.outputs, theirs.outputs, strict=True))]
    for place, read, found in places:
        differing = [key for key in read.keys() | found.keys() if not _same_value(place, key, read, found)]
        if differing:
            raise BitcoinDisagreement(f"psbt {place}: {reader} reads the field {differing[0][:40].hex()} otherwise")


def _same_value(place: str, key: bytes, read: Records, found: Records) -> bool:
    """Wallycore writes previous transactions without their witnesses, which say nothing about amounts."""
    one, other = read.get(key), found.get(key)
    if one == other or one is None or other is None:
        return one == other
    is_previous_tx = key == _PREVIOUS_TX and place.startswith("input")
    return is_previous_tx and Transaction.parse(one).base == Transaction.parse(other).base


def _plain(records: Records) -> Records:
    """Version 0 and flags that allow nothing may be said or left out."""
    return {key: value for key, value in records.items() if key != VERSION and (key, value) != _NOTHING_MODIFIABLE}
