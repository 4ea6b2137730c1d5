"""Transactions: read strictly, written byte by byte as read.

Wallycore has to find the same id in the same bytes; where it does not, nobody knows what the bytes mean and nothing
may be signed (BitcoinDisagreement).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import wallycore

from shared.bitcoin.compact_size import Reader, compact_size
from shared.bitcoin.hashes import sha256d
from shared.errors import BitcoinDisagreement, BitcoinMalformed

MAX_MONEY_SAT: Final = 21_000_000 * 100_000_000
MAX_WEIGHT_WU: Final = 4_000_000
SEQUENCE_FINAL: Final = 0xFFFF_FFFF
COIN_SAT: Final = 100_000_000

_SEGWIT: Final = b"\x00\x01"  # BIP-144: no inputs, then a flag
_INPUT_BYTES: Final = 41
_OUTPUT_BYTES: Final = 9


@dataclass(frozen=True, slots=True)
class OutPoint:
    """`txid` is hex in display order, which is the reverse of the order in bytes."""

    txid: str
    vout: int

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.txid)[::-1] + self.vout.to_bytes(4, "little")

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout}"


@dataclass(frozen=True, slots=True)
class TxIn:
    outpoint: OutPoint
    script_sig: bytes = b""
    sequence: int = SEQUENCE_FINAL
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOut:
    amount_sat: int
    script: bytes

    @property
    def raw(self) -> bytes:
        return self.amount_sat.to_bytes(8, "little") + compact_size(len(self.script)) + self.script


@dataclass(frozen=True)
class Transaction:
    """`version` and `lock_time` are unsigned 32-bit numbers. No slots: ids and bytes are computed once and kept."""

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    lock_time: int

    @staticmethod
    def parse(raw: bytes) -> "Transaction":
        """Consensus serialisation with or without witness (BIP-144), nothing before and nothing after it.

        BitcoinMalformed names the byte; BitcoinDisagreement where wallycore reads another transaction.
        """
        if len(raw) > MAX_WEIGHT_WU:
            raise BitcoinMalformed(f"transaction: {len(raw)} bytes, no block holds more than {MAX_WEIGHT_WU}")
        found = _read(bytes(raw))  # some libraries return a bytearray
        _agree(found)
        return found

    def with_witnesses(self, stacks: Iterable[tuple[bytes, ...]]) -> "Transaction":
        """The same transaction, its id included, with one stack for each input."""
        inputs = tuple(
            TxIn(entry.outpoint, entry.script_sig, entry.sequence, stack)
            for entry, stack in zip(self.inputs, stacks, strict=True)
        )
        found = Transaction(self.version, inputs, self.outputs, self.lock_time)
        found.__dict__.update(base=self.base, txid=self.txid)
        return found

    @cached_property
    def raw(self) -> bytes:
        """With witness where any input has one: what is broadcast."""
        if not self.has_witness:
            return self.base
        base = self.base
        return b"".join(
            (base[:4], _SEGWIT, base[4:-4], *(witness_bytes(entry.witness) for entry in self.inputs), base[-4:])
        )

    @cached_property
    def base(self) -> bytes:
        """Without witness: what the id commits to."""
        parts = [self.version.to_bytes(4, "little"), compact_size(len(self.inputs))]
        for entry in self.inputs:
            parts += (
                entry.outpoint.raw,
                compact_size(len(entry.script_sig)),
                entry.script_sig,
                entry.sequence.to_bytes(4, "little"),
            )
        parts.append(compact_size(len(self.outputs)))
        parts += [output.raw for output in self.outputs]
        parts.append(self.lock_time.to_bytes(4, "little"))
        return b"".join(parts)

    @cached_property
    def txid(self) -> str:
        return sha256d(self.base)[::-1].hex()

    @cached_property
    def wtxid(self) -> str:
        return sha256d(self.raw)[::-1].hex()

    @property
    def has_witness(self) -> bool:
        return any(entry.witness for entry in self.inputs)

    @property
    def weight_wu(self) -> int:
        """BIP-141: three times the base and once everything."""
        return 3 * len(self.base) + len(self.raw)

    @property
    def vsize_vb(self) -> int:
        """Weight by four, rounded up."""
        return -(-self.weight_wu // 4)

    @property
    def output_sat(self) -> int:
        """What all outputs carry together."""
        return sum(output.amount_sat for output in self.outputs)


def witness_bytes(witness: tuple[bytes, ...]) -> bytes:
    """A witness stack as a transaction and a PSBT carry it."""
    return compact_size(len(witness)) + b"".join(compact_size(len(item)) + item for item in witness)


def read_witness(reader: Reader) -> tuple[bytes, ...]:
    count = reader.compact_size()
    if count > reader.left:
        raise BitcoinMalformed(f"witness before byte {reader.position}: {count} items cannot follow in so few bytes")
    return tuple([reader.chunk() for _ in range(count)])


def _read(raw: bytes) -> Transaction:
    reader = Reader(raw, "transaction")
    version = reader.integer(4)
    segwit = raw[4:6] == _SEGWIT
    if segwit:
        reader.take(2)
    inputs = [_read_input(reader) for _ in range(_counted(reader, _INPUT_BYTES, "inputs"))]
    if not inputs:
        raise BitcoinMalformed("transaction: it has no inputs")
    outputs = tuple([_read_output(reader) for _ in range(_counted(reader, _OUTPUT_BYTES, "outputs"))])
    base_end = reader.position
    if segwit:
        stacks = [read_witness(reader) for _ in inputs]
        if not any(stacks):
            raise BitcoinMalformed("transaction: it is marked as having a witness and has none")
        inputs = [
            TxIn(entry.outpoint, entry.script_sig, entry.sequence, stack) if stack else entry
            for entry, stack in zip(inputs, stacks, strict=True)
        ]
    lock_time = reader.integer(4)
    reader.end()
    found = Transaction(version, tuple(inputs), outputs, lock_time)
    # The form is canonical, so these are the bytes that writing would make.
    found.__dict__["raw"] = raw
    found.__dict__["base"] = raw[:4] + raw[6:base_end] + raw[-4:] if segwit else raw
    return found


def _counted(reader: Reader, least_bytes: int, name: str) -> int:
    count = reader.compact_size()
    if count * least_bytes > reader.left:
        raise BitcoinMalformed(f"transaction: {count} {name} cannot follow in {reader.left} bytes")
    return count


def _read_input(reader: Reader) -> TxIn:
    spent = reader.take(36)
    outpoint = OutPoint(spent[31::-1].hex(), int.from_bytes(spent[32:], "little"))
    return TxIn(outpoint, reader.chunk(), reader.integer(4))


def _read_output(reader: Reader) -> TxOut:
    amount_sat = reader.integer(8)
    if amount_sat > MAX_MONEY_SAT:
        raise BitcoinMalformed(f"transaction: the amount before byte {reader.position} is more than all coins")
    return TxOut(amount_sat, reader.chunk())


def _agree(transaction: Transaction) -> None:
    try:
        txid = bytes(
            wallycore.tx_get_txid(wallycore.tx_from_bytes(transaction.raw, wallycore.WALLY_TX_FLAG_USE_WITNESS))
        )
    except ValueError as error:
        raise BitcoinDisagreement("transaction: wallycore cannot read what we can") from error
    if txid[::-1].hex() != transaction.txid:
        raise BitcoinDisagreement(f"transaction: we find the id {transaction.txid}, wallycore {txid[::-1].hex()}")
