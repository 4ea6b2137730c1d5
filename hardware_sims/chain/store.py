"""What the node remembers: one file of records that only grows, written before anything is answered.

Written through to the operating system but not to the disk: it outlives the process, not a power cut.
"""

import fcntl
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from shared.errors import Corrupt, StorageUnavailable

_MAGIC = b"BES chain 1\n"
_HEAD = struct.Struct("<BII")  # kind, bytes, CRC-32 of the payload


class Kind(IntEnum):
    BLOCK = 1
    INVALIDATED = 2
    RECONSIDERED = 3


class ChainLog:
    """Records in the order of their arrival. StorageUnavailable where another process has the file open.

    Without a path nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = _opened(path) if path is not None else None
        self.folder = path.parent if path is not None else None

    def read(self) -> Iterator[tuple[Kind, bytes]]:
        """Every whole record. A torn last one, which nobody was told about, is cut off."""
        file = self._file
        if file is None:
            return
        file.seek(len(_MAGIC))
        end = file.tell()
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            kind, length, checksum = _HEAD.unpack(head)
            payload = file.read(length)
            if len(payload) != length or zlib.crc32(payload) != checksum:
                break
            yield Kind(kind), payload
            end += _HEAD.size + length
        file.seek(end)
        file.truncate()

    def append(self, kind: Kind, payload: bytes) -> None:
        if self._file is not None:
            self._file.write(_HEAD.pack(kind, len(payload), zlib.crc32(payload)) + payload)
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StorageUnavailable(f"{path}: another node has this data directory; stop it or take another") from error
    file.seek(0)
    head = file.read(len(_MAGIC))
    if not head:
        file.write(_MAGIC)
        file.flush()
    elif head != _MAGIC:
        file.close()
        raise Corrupt(f"{path}: not a chain of this program; move it away")
    return file
