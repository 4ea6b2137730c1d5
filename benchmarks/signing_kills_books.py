"""What stands in the boxes' ledgers and in the chain, read by nothing of the product but the parsers of bytes."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.signing_kills_contracts import Spendable
from hardware_sims.demo.treasury import Node
from shared.bitcoin.block import Block
from shared.bitcoin.sighash import SIGHASH_DEFAULT, Sighasher
from shared.bitcoin.signature import verify_ecdsa, verify_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.wire.codec import decode
from shared.wire.signing import SigningAnswer

_SCHNORR_BYTES = 64


class LedgerBook(NamedTuple):
    """A box's ledger: is its chain whole, the rows of debits by txid, and its signatures with their rows' numbers.

    `digests` are those of all rows from the first on.
    """

    whole: bool
    debits: dict[str, list[int]]
    signed: list[tuple[int, SigningAnswer]]
    digests: list[bytes]


def read_ledger(path: Path, box_id: str) -> LedgerBook:
    """The chain is computed anew: digest = SHA-256("bes/ledger/v1" 00 MessagePack(columns but the digest))."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        rows = file.execute("SELECT * FROM entry ORDER BY seq").fetchall()
    digest, whole = hashlib.sha256(b"bes/ledger/genesis/v1\x00" + box_id.encode()).digest(), True
    debits: dict[str, list[int]] = {}
    signed, digests = [], []
    for number, row in enumerate(rows, 1):
        seq, kind, txid, body, previous, own = row[0], row[1], row[5], row[13], row[14], row[15]
        expected = hashlib.sha256(b"bes/ledger/v1\x00" + msgspec.msgpack.encode(row[:-1])).digest()
        whole &= (seq, previous, own) == (number, digest, expected)
        digest = own
        digests.append(own)
        if kind == "debit":
            debits.setdefault(txid, []).append(seq)
        elif kind == "answer" and (answer := decode(body, SigningAnswer)).outcome == "signed":
            signed.append((seq, answer))
    return LedgerBook(whole, debits, signed, digests)


class ChainBook(NamedTuple):
    """All that the chain holds: transactions that spend the contracts, with the boxes whose keys signed each of them,
    and how many blocks deep each is.
    """

    spends: dict[str, Transaction]
    signers: dict[str, frozenset[str]]
    depths: dict[str, int]


def read_chain(node: Node, contracts: Sequence[Spendable]) -> ChainBook:
    """Block by block, from the first on."""
    ours = {contract.script: contract for contract in contracts}
    outputs: dict[OutPoint, TxOut] = {}
    spends: dict[str, Transaction] = {}
    signers: dict[str, frozenset[str]] = {}
    depths: dict[str, int] = {}
    tip = int(node.call("getblockcount"))
    for height, block in _blocks(node, tip):
        for tx in block.transactions:
            spent = [outputs.get(one.outpoint) for one in tx.inputs]
            whole = [output for output in spent if output is not None]
            if len(whole) == len(spent) and any(output.script in ours for output in whole):
                spends[tx.txid], depths[tx.txid] = tx, tip - height + 1
                signers[tx.txid] = frozenset(
                    name
                    for index, output in enumerate(whole)
                    if output.script in ours
                    for name in _signers(tx, index, whole, ours[output.script])
                )
            outputs.update({OutPoint(tx.txid, vout): output for vout, output in enumerate(tx.outputs)})
    return ChainBook(spends, signers, depths)


def _blocks(node: Node, tip: int) -> Iterator[tuple[int, Block]]:
    for height in range(1, tip + 1):
        yield height, Block.parse(bytes.fromhex(node.call("getblock", node.call("getblockhash", height), 0)))


def _signers(tx: Transaction, index: int, spent: Sequence[TxOut], contract: Spendable) -> Iterator[str]:
    """Whose signatures the witness of an input holds. One signature on a Taproot key path is everybody's."""
    witness, sighasher = tx.inputs[index].witness, Sighasher(tx, spent)
    if not spent[index].script.startswith(b"\x51"):
        digest = sighasher.segwit_v0(index, witness[-1])
        yield from _matching(contract.keys, witness[:-1], lambda key, item: verify_ecdsa(key, digest, item[:-1]))
        return
    if len(witness) == 1:
        digest = sighasher.taproot(index, SIGHASH_DEFAULT)
        assert verify_schnorr(spent[index].script[2:], digest, witness[0])
        yield from contract.keys
        return
    digest = sighasher.taproot(index, SIGHASH_DEFAULT, witness[-2])
    yield from _matching(contract.keys, witness[:-2], lambda key, item: verify_schnorr(key[1:], digest, item))


def _matching(keys: Mapping[str, str], items: Sequence[bytes], fits: Callable[[bytes, bytes], bool]) -> Iterator[str]:
    for name, key in keys.items():
        if any(len(item) >= _SCHNORR_BYTES and fits(bytes.fromhex(key), item) for item in items):
            yield name
