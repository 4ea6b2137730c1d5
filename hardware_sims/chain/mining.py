"""Blocks that the regtest network takes: reward, witness commitment, and a proof of work of two tries on average."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.bitcoin.block import Block, Header, merkle_root
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.script import number, push
from shared.bitcoin.transaction import COIN_SAT, OutPoint, Transaction, TxIn, TxOut

REGTEST_BITS = 0x207FFFFF
HALVING_BLOCKS = 150
MATURITY_BLOCKS = 100
_VERSION = 0x20000000
_NULL = OutPoint("00" * 32, 0xFFFFFFFF)
_COMMITMENT = bytes.fromhex("6a24aa21a9ed")  # BIP-141
_RESERVED = bytes(32)


@dataclass(frozen=True, slots=True)
class Template:
    """What a block stands on and whom it pays. `salt` keeps two blocks of one second apart."""

    previous: str
    height: int
    time_s: int
    reward_script: bytes
    salt: bytes


def subsidy_sat(height: int) -> int:
    """50 bitcoin, half of it after every 150 blocks."""
    halvings = height // HALVING_BLOCKS
    return (50 * COIN_SAT) >> halvings if halvings < 64 else 0


def mined(template: Template, transactions: Sequence[Transaction], fees_sat: int) -> Block:
    """A block with its coinbase first and a nonce that meets the target."""
    coinbase = _coinbase(template, transactions, fees_sat)
    everything = (coinbase, *transactions)
    root = merkle_root([bytes.fromhex(tx.txid)[::-1] for tx in everything])
    nonce = 0
    while True:
        header = Header(_VERSION, template.previous, root, template.time_s, REGTEST_BITS, nonce)
        if int(header.hash, 16) <= 0x7FFFFF << 232:
            return Block(header, everything)
        nonce += 1


def _coinbase(template: Template, transactions: Sequence[Transaction], fees_sat: int) -> Transaction:
    witness_root = merkle_root([bytes(32), *(bytes.fromhex(tx.wtxid)[::-1] for tx in transactions)])
    commitment = _COMMITMENT + sha256d(witness_root + _RESERVED)
    script_sig = number(template.height) + push(template.salt)  # BIP-34
    return Transaction(
        version=2,
        inputs=(TxIn(_NULL, script_sig, witness=(_RESERVED,)),),
        outputs=(TxOut(subsidy_sat(template.height) + fees_sat, template.reward_script), TxOut(0, commitment)),
        lock_time=0,
    )
