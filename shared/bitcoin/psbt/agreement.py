"""Other readers of the same bytes: what they see has to be the transaction that we see.

Nobody knows what bytes mean that two implementations read differently, so a difference is refused and never voted on.
Both libraries let things pass that we refuse (bytes after the end, for wallycore); what we let pass and they refuse is
a disagreement too.
"""

import wallycore
from btclib_wallet.psbt import Psbt as BtclibPsbt

from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinDisagreement


def wallycore_agrees(raw: bytes, tx: Transaction) -> None:
    try:
        psbt = wallycore.psbt_from_bytes(raw, wallycore.WALLY_PSBT_PARSE_FLAG_STRICT)
        theirs = wallycore.tx_to_bytes(wallycore.psbt_extract(psbt, wallycore.WALLY_PSBT_EXTRACT_NON_FINAL), 0)
    except ValueError as error:
        raise BitcoinDisagreement("psbt: wallycore refuses what our scanner reads") from error
    _same("wallycore", bytes(theirs), tx)


def btclib_agrees(raw: bytes, tx: Transaction) -> None:
    try:
        theirs = BtclibPsbt.parse(raw).tx.serialize(include_witness=False)
    except (ValueError, RuntimeError, TypeError) as error:  # it has errors of each of these
        raise BitcoinDisagreement(f"psbt: btclib refuses what our scanner reads: {error}") from error
    _same("btclib", theirs, tx)


def _same(reader: str, theirs: bytes, tx: Transaction) -> None:
    if theirs != tx.base:
        raise BitcoinDisagreement(f"psbt: {reader} reads another transaction than the one with the id {tx.txid}")
