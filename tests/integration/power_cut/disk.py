"""What a disk may hold after the power was cut: all that was synced, and of the rest whatever a disk pleases.

Unsynced writes may have arrived or not, in any order, and in sectors; a file may have grown while its data is still
zeros. Not modelled: directory entries (the names of files are taken as durable from the first receipt on), sectors that
are damaged, and disks that lie about a sync.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from .trace import Cut, Operation, Receipt, Sync, Write

SECTOR = 512


def receipts_before(operations: Sequence[Operation], instant: int) -> list[tuple[str, ...]]:
    """What the world had been told when `instant` operations were done."""
    return [operation.words for operation in operations[:instant] if isinstance(operation, Receipt)]


def instants(operations: Sequence[Operation], count: int, draw: random.Random) -> list[int]:
    """So many of them, after the first receipt."""
    first = next(number for number, operation in enumerate(operations) if isinstance(operation, Receipt))
    return sorted(draw.sample(range(first + 1, len(operations) + 1), count))


def lay_down(operations: Sequence[Operation], instant: int, folder: Path, draw: random.Random) -> None:
    """Write the files as the disk might hold them if the power was cut after `instant` operations."""
    done = operations[:instant]
    durable = _durable(done)
    fate = draw.choice(("lost", "kept", "some", "torn"))
    contents: dict[str, bytearray] = {}
    for number, operation in enumerate(done):
        if isinstance(operation, Sync | Receipt):
            continue
        content = contents.setdefault(operation.file, bytearray())
        if number < durable.get(operation.file, 0):
            _apply(content, operation)
        else:
            _perhaps(content, operation, fate, draw)
    folder.mkdir(parents=True)
    for file, content in contents.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _durable(done: Sequence[Operation]) -> dict[str, int]:
    """By file: every operation before this number is on the disk."""
    durable: dict[str, int] = {}
    for operation in done:
        if isinstance(operation, Sync):
            durable[operation.file] = max(durable.get(operation.file, 0), operation.began)
    return durable


def _perhaps(content: bytearray, operation: Write | Cut, fate: str, draw: random.Random) -> None:
    if fate == "lost" or (fate != "kept" and draw.random() < 0.5):
        return
    if fate != "torn" or isinstance(operation, Cut):
        _apply(content, operation)
        return
    _grow(content, operation.offset + len(operation.data))
    for start in range(0, len(operation.data), SECTOR):
        if draw.random() < 0.5:
            _apply(content, Write(operation.file, operation.offset + start, operation.data[start : start + SECTOR]))


def _apply(content: bytearray, operation: Write | Cut) -> None:
    if isinstance(operation, Cut):
        _grow(content, operation.size)
        del content[operation.size :]
        return
    ends = operation.offset + len(operation.data)
    _grow(content, ends)
    content[operation.offset : ends] = operation.data


def _grow(content: bytearray, size: int) -> None:
    content.extend(bytes(max(0, size - len(content))))
