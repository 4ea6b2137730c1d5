"""Headers that were accepted, in that order, in a file of 80 bytes each.

It may be lost or changed without harm: headers prove themselves, and the ledger knows a height below which it does not
go. What is left of a torn write at the end is cut off.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.signer.clock.header import HEADER_BYTES
from shared.errors import StorageUnavailable
from shared.private_file import make_private

_READ_BYTES = HEADER_BYTES * 4096


class HeaderFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        make_private(self._path)
        self.cut(self._path.stat().st_size // HEADER_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while page := file.read(_READ_BYTES):
                yield from (page[start : start + HEADER_BYTES] for start in range(0, len(page), HEADER_BYTES))

    def append(self, headers: Sequence[bytes]) -> None:
        """On the disk when it returns. StorageUnavailable where that fails."""
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(headers))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageUnavailable(f"{self._path}: {error.strerror}; send the headers again") from error

    def cut(self, count: int) -> None:
        """Keep the first `count` headers."""
        os.truncate(self._path, count * HEADER_BYTES)
