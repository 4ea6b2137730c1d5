"""Block headers and blocks as bytes and back."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.bitcoin.compact_size import Reader, compact_size
from shared.bitcoin.hashes import sha256d
from shared.bitcoin.transaction import Transaction, read_witness
from shared.errors import BitcoinMalformed

HEADER_BYTES = 80
_HEADER = struct.Struct("<i32s32sIII")


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Of hashes in wire order; a lone last one of a level is paired with itself."""
    level = list(leaves)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


@dataclass(frozen=True)
class Header:
    """`previous` and `hash` are hex in display order, `merkle_root` is in wire order."""

    version: int
    previous: str
    merkle_root: bytes
    time_s: int
    bits: int
    nonce: int

    @classmethod
    def parse(cls, raw: bytes) -> "Header":
        if len(raw) != HEADER_BYTES:
            raise BitcoinMalformed(f"a block header has {HEADER_BYTES} bytes, these are {len(raw)}")
        version, previous, root, time_s, bits, nonce = _HEADER.unpack(raw)
        return cls(version, previous[::-1].hex(), root, time_s, bits, nonce)

    @cached_property
    def raw(self) -> bytes:
        previous = bytes.fromhex(self.previous)[::-1]
        return _HEADER.pack(self.version, previous, self.merkle_root, self.time_s, self.bits, self.nonce)

    @cached_property
    def hash(self) -> str:
        return sha256d(self.raw)[::-1].hex()


@dataclass(frozen=True)
class Block:
    header: Header
    transactions: tuple[Transaction, ...]

    @classmethod
    def parse(cls, raw: bytes) -> "Block":
        """BitcoinMalformed unless the bytes are one block and nothing else."""
        reader = Reader(raw, "block")
        header = Header.parse(reader.take(HEADER_BYTES))
        transactions = []
        for _ in range(reader.compact_size()):
            start = reader.position
            _pass_transaction(reader)
            transactions.append(Transaction.parse(raw[start : reader.position]))
        reader.end()
        if not transactions:
            raise BitcoinMalformed("block: it has no transactions")
        return cls(header, tuple(transactions))

    @property
    def hash(self) -> str:
        return self.header.hash

    @cached_property
    def raw(self) -> bytes:
        return self.header.raw + compact_size(len(self.transactions)) + b"".join(tx.raw for tx in self.transactions)

    @cached_property
    def base_bytes(self) -> int:
        """The size without witnesses."""
        head = HEADER_BYTES + len(compact_size(len(self.transactions)))
        return head + sum(len(tx.base) for tx in self.transactions)

    @property
    def weight_wu(self) -> int:
        return 3 * self.base_bytes + len(self.raw)

    @property
    def is_whole(self) -> bool:
        """Whether these are the transactions that the header commits to."""
        return merkle_root([bytes.fromhex(tx.txid)[::-1] for tx in self.transactions]) == self.header.merkle_root


def _pass_transaction(reader: Reader) -> None:
    """Move to the end of a transaction; only `Transaction.parse` reads what it says."""
    reader.take(4)
    inputs = reader.compact_size()
    has_witness = inputs == 0
    if has_witness:
        reader.take(1)
        inputs = reader.compact_size()
    for _ in range(inputs):
        reader.take(36)
        reader.chunk()
        reader.take(4)
    for _ in range(reader.compact_size()):
        reader.take(8)
        reader.chunk()
    for _ in range(inputs if has_witness else 0):
        read_witness(reader)
    reader.take(4)
