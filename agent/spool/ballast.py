"""Space kept in hand: in WAL mode even a DELETE needs some, so a disk filled by others could never be drained."""

import os
import shutil
from pathlib import Path

_ROOM_FACTOR = 4


class Ballast:
    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    @property
    def present(self) -> bool:
        return self._path.exists()

    def drop(self) -> bool:
        """Give the space up; False where it was given up before."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def restore(self) -> bool:
        """Take the space again where a few times as much is free."""
        if self.present:
            return True
        if shutil.disk_usage(self._path.parent).free < self._size_bytes * _ROOM_FACTOR:
            return False
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        except OSError:
            self._path.unlink()
            return False
        finally:
            os.close(descriptor)
        return True
