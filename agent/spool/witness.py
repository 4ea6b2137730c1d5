"""A few bytes beside the spool that still know its epoch when the spool itself cannot be read any more."""

import os
import zlib
from pathlib import Path

import msgspec

_BYTES = 256  # less than a sector, rewritten in place: needs no space on a full disk
_STEP = 1024


class Testimony(msgspec.Struct, frozen=True):
    """No number above `ceiling` was ever given out in `epoch`."""

    epoch: str
    machine_id: str
    ceiling: int


class Witness:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._testimony: Testimony | None = None

    def read(self) -> Testimony | None:
        """What it last wrote; None where there is nothing or it does not fit its checksum."""
        try:
            text, _, crc = self.path.read_bytes().rstrip().rpartition(b" ")
            return msgspec.json.decode(text, type=Testimony) if zlib.crc32(text) == int(crc) else None
        except (OSError, ValueError, msgspec.MsgspecError):
            return None

    def write(self, testimony: Testimony) -> None:
        """Durable when it returns."""
        text = msgspec.json.encode(testimony)
        line = (text + b" %d" % zlib.crc32(text)).ljust(_BYTES)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, line, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._testimony = testimony

    def cover(self, seq: int) -> None:
        """Called before `seq` is committed; writes once in many numbers."""
        testimony = self._testimony
        if testimony is not None and seq > testimony.ceiling:
            self.write(msgspec.structs.replace(testimony, ceiling=seq + _STEP))

    def settle(self, highest_seq: int) -> None:
        """At an orderly end: the ceiling is exact."""
        if self._testimony is not None:
            self.write(msgspec.structs.replace(self._testimony, ceiling=highest_seq))
