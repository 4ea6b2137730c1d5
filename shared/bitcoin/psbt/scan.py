"""Walks the key-value maps of a PSBT byte by byte, and ends exactly where the bytes end.

Wallycore and bdk read past bytes that follow a PSBT; this is the reader that does not. It knows where a map begins and
ends, that no key stands twice and how many maps there have to be, and nothing else.
"""

from dataclasses import dataclass
from typing import Final

from shared.bitcoin.compact_size import Reader, compact_size
from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinMalformed

MAGIC: Final = b"psbt\xff"
MAX_PSBT_BYTES: Final = 4_000_000
MAX_MAPS: Final = 10_000
MAX_RECORDS: Final = 2_000  # in one map

UNSIGNED_TX: Final = b"\x00"
INPUT_COUNT: Final = b"\x04"
OUTPUT_COUNT: Final = b"\x05"
VERSION: Final = b"\xfb"

Records = dict[bytes, bytes]
"""Key (type and key data) to value, in the order of the bytes."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The maps of a PSBT. `tx` is the unsigned transaction of a version 0, None in version 2."""

    version: int
    tx: Transaction | None
    globals: Records
    inputs: tuple[Records, ...]
    outputs: tuple[Records, ...]


def scan(raw: bytes) -> Scan:
    """The maps of a PSBT of version 0 or 2; BitcoinMalformed with the byte or the map where it is none."""
    if len(raw) > MAX_PSBT_BYTES:
        raise BitcoinMalformed(f"psbt: {len(raw)} bytes are more than {MAX_PSBT_BYTES}")
    if raw[: len(MAGIC)] != MAGIC:
        raise BitcoinMalformed("psbt: it does not begin with the magic bytes psbt ff")
    found, position = _map(raw, len(MAGIC), "global map")
    version = _version(found)
    tx = _unsigned(found) if version == 0 else None
    input_count, output_count = (len(tx.inputs), len(tx.outputs)) if tx else _counts(found)
    if input_count + output_count > MAX_MAPS:
        raise BitcoinMalformed(f"psbt: {input_count} inputs and {output_count} outputs are more than {MAX_MAPS}")
    inputs, outputs = [], []
    for index in range(input_count):
        records, position = _map(raw, position, f"input {index}")
        inputs.append(records)
    for index in range(output_count):
        records, position = _map(raw, position, f"output {index}")
        outputs.append(records)
    if position != len(raw):
        raise BitcoinMalformed(f"psbt: {len(raw) - position} bytes follow the last map at byte {position}")
    return Scan(version, tx, found, tuple(inputs), tuple(outputs))


def record_bytes(records: Records) -> bytes:
    """The records of a map as they stand in a PSBT, without the byte that ends the map."""
    parts: list[bytes] = []
    for key, value in records.items():
        parts += (compact_size(len(key)), key, compact_size(len(value)), value)
    return b"".join(parts)


def _map(raw: bytes, position: int, place: str) -> tuple[Records, int]:
    """The records of the map that begins at `position`, and where the next one begins."""
    records: Records = {}
    while True:
        key_size, position = _size(raw, position, place)
        if key_size == 0:
            return records, position
        key_end = position + key_size
        value_size, value_start = _size(raw, key_end, place)
        value_end = value_start + value_size
        if value_end > len(raw):
            raise BitcoinMalformed(f"psbt {place}: a value of {value_size} bytes at byte {value_start} is cut off")
        key = raw[position:key_end]
        if key in records:
            raise BitcoinMalformed(f"psbt {place}: the key {key[:40].hex()} at byte {position} stands there twice")
        if len(records) == MAX_RECORDS:
            raise BitcoinMalformed(f"psbt {place}: it has more than {MAX_RECORDS} records")
        records[key] = raw[value_start:value_end]
        position = value_end


def _size(raw: bytes, position: int, place: str) -> tuple[int, int]:
    """The compact size at `position` and where it ends; the sizes of nearly all keys and values are one byte."""
    if position >= len(raw):
        raise BitcoinMalformed(f"psbt {place}: it ends at byte {len(raw)} in the middle of a map")
    first = raw[position]
    if first < 0xFD:
        return first, position + 1
    reader = Reader(raw[position : position + 9], f"psbt {place} at byte {position}")
    return reader.compact_size(), position + reader.position


def _version(records: Records) -> int:
    value = records.get(VERSION)
    if value is None:
        return 0
    version = int.from_bytes(value, "little")
    if len(value) != 4 or version not in (0, 2):
        raise BitcoinMalformed(f"psbt: version {value.hex()} is neither 0 nor 2 in four bytes")
    return version


def _unsigned(records: Records) -> Transaction:
    if UNSIGNED_TX not in records:
        raise BitcoinMalformed("psbt: PSBT_GLOBAL_UNSIGNED_TX is missing, version 0 requires it")
    tx = Transaction.parse(records[UNSIGNED_TX])
    if tx.has_witness or any(entry.script_sig for entry in tx.inputs):
        raise BitcoinMalformed("psbt: the unsigned transaction has signatures")
    return tx


def _counts(records: Records) -> tuple[int, int]:
    counts = []
    for key, name in ((INPUT_COUNT, "PSBT_GLOBAL_INPUT_COUNT"), (OUTPUT_COUNT, "PSBT_GLOBAL_OUTPUT_COUNT")):
        if key not in records:
            raise BitcoinMalformed(f"psbt: {name} is missing, version 2 requires it")
        reader = Reader(records[key], name)
        counts.append(reader.compact_size())
        reader.end()
    if counts[0] == 0:
        raise BitcoinMalformed("psbt: it has no inputs")
    return counts[0], counts[1]
