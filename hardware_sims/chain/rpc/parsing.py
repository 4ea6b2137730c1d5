"""Parameters that are hashes, transactions and outputs."""

import string

from hardware_sims.chain.chain import Placed
from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.rpc.failure import Code, RpcFailure
from shared.bitcoin.address import script_of
from shared.bitcoin.block import Block
from shared.bitcoin.network import Network
from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinDisagreement, BitcoinMalformed, NotFound

_HASH_CHARACTERS = 64


def a_hash(value: str, name: str) -> str:
    """32 bytes in hex, lower case."""
    if len(value) != _HASH_CHARACTERS:
        message = f"{name} must be of length {_HASH_CHARACTERS} (not {len(value)}, for '{value}')"
        raise RpcFailure(Code.INVALID_PARAMETER, message)
    if not set(value) <= set(string.hexdigits):
        raise RpcFailure(Code.INVALID_PARAMETER, f"{name} must be hexadecimal string (not '{value}')")
    return value.lower()


def known_block(node: ChainNode, value: str) -> Placed:
    try:
        return node.chain.block(a_hash(value, "blockhash"))
    except NotFound as error:
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, "Block not found") from error


def a_transaction(value: str, message: str) -> Transaction:
    """Hex of one whole transaction; `message` for everything else."""
    try:
        return Transaction.parse(bytes.fromhex(value))
    except (ValueError, BitcoinMalformed, BitcoinDisagreement) as error:
        raise RpcFailure(Code.DESERIALIZATION, message) from error


def a_block(value: str) -> Block:
    try:
        return Block.parse(bytes.fromhex(value))
    except (ValueError, BitcoinMalformed, BitcoinDisagreement) as error:
        raise RpcFailure(Code.DESERIALIZATION, "Block decode failed") from error


def address_script(value: str) -> bytes:
    try:
        return script_of(value, Network.REGTEST)
    except (BitcoinMalformed, BitcoinDisagreement) as error:
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, "Error: Invalid address") from error


def descriptor_script(value: str) -> bytes:
    """`addr(ADDRESS)` or `raw(HEX)`, with or without a checksum, which is not looked at."""
    name, _, rest = value.partition("(")
    inner, closed, _checksum = rest.partition(")")
    try:
        if closed and name == "addr":
            return script_of(inner, Network.REGTEST)
        if closed and name == "raw":
            return bytes.fromhex(inner)
    except (ValueError, BitcoinMalformed, BitcoinDisagreement) as error:
        raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, f"{name}() descriptor is not valid: {value}") from error
    raise RpcFailure(Code.INVALID_ADDRESS_OR_KEY, f"'{value}' is not a valid descriptor function")
