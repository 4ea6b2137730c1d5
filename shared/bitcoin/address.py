"""Addresses: text for a script on one network. wallycore and btclib read it and must find the same script."""

from typing import Final

import wallycore
from btclib.exceptions import BTClibValueError
from btclib.script.script_pub_key import ScriptPubKey

from shared.bitcoin.network import Network
from shared.bitcoin.script import ScriptKind, kind, witness_program
from shared.errors import BitcoinDisagreement, BitcoinMalformed

_MAX_LETTERS: Final = 90  # BIP-173; base58 has fewer


def script_of(address: str, network: Network) -> bytes:
    """The script that the address pays; BitcoinMalformed for a wrong checksum, form or network."""
    if len(address) > _MAX_LETTERS or not (address.isascii() and address.isalnum()):  # C reads up to a zero byte
        raise BitcoinMalformed(f"{address[:100]!r} is no address: too long, or with letters that none has")
    ours = _by_wally(address, network)
    theirs = _by_btclib(address, network)
    if ours is None and theirs is None:
        raise BitcoinMalformed(f"{address[:100]!r} is not an address of the network {network}")
    if ours is None or theirs is None or ours != theirs:
        raise BitcoinDisagreement(f"wallycore and btclib read the address {address[:100]!r} differently")
    return ours


def address_of(script: bytes, network: Network) -> str | None:
    """None where no address stands for the script (bare scripts, data)."""
    try:
        if witness_program(script) is not None:
            found = wallycore.addr_segwit_from_bytes(script, network.hrp, 0)
        elif kind(script) in (ScriptKind.P2PKH, ScriptKind.P2SH):
            found = wallycore.scriptpubkey_to_address(script, network.wally)
        else:
            return None
    except ValueError:
        return None
    address = str(found)
    if _by_btclib(address, network) != script:
        raise BitcoinDisagreement(f"btclib reads another script in wallycore's address {address}")
    return address


def _by_wally(address: str, network: Network) -> bytes | None:
    try:
        if address.lower().startswith(network.hrp + "1"):
            return bytes(wallycore.addr_segwit_to_bytes(address, network.hrp, 0))
        return bytes(wallycore.address_to_scriptpubkey(address, network.wally))
    except ValueError:
        return None


def _by_btclib(address: str, network: Network) -> bytes | None:
    try:
        found = ScriptPubKey.from_address(address)
    except BTClibValueError:
        return None
    script = bytes(found.script)
    if witness_program(script) is not None:
        fits = address.lower().startswith(network.hrp + "1")
    else:
        fits = (found.network == Network.MAIN.btclib) == (network is Network.MAIN)  # test chains share their prefixes
    return script if fits else None
