"""Bitcoin's variable-length integer, in its one shortest form only."""

from shared.errors import BitcoinMalformed

_WIDTHS = {0xFD: 2, 0xFE: 4, 0xFF: 8}


def compact_size(value: int) -> bytes:
    """1, 3, 5 or 9 bytes, little endian after the first."""
    if value < 0xFD:
        return value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFF_FFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def compact_size_length(value: int) -> int:
    """Bytes that `compact_size(value)` takes."""
    if value < 0xFD:
        return 1
    return 3 if value <= 0xFFFF else 5 if value <= 0xFFFF_FFFF else 9


class Reader:
    """Walks over bytes that somebody else wrote; whatever is missing or longer than needed is BitcoinMalformed."""

    __slots__ = ("_data", "_name", "position")

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise BitcoinMalformed(
                f"{self._name}: {count} bytes are announced at byte {self.position}, {self.left} are there"
            )
        found = self._data[self.position : end]
        self.position = end
        return found

    def integer(self, width: int) -> int:
        """Unsigned, little endian."""
        return int.from_bytes(self.take(width), "little")

    def compact_size(self) -> int:
        start = self.position
        if start < len(self._data) and (size := self._data[start]) < 0xFD:  # nearly always, and twice as fast
            self.position = start + 1
            return size
        first = self.integer(1)
        value = self.integer(_WIDTHS[first])
        if compact_size_length(value) != 1 + _WIDTHS[first]:
            raise BitcoinMalformed(f"{self._name}: the size {value} before byte {self.position} is not shortest")
        return value

    def chunk(self) -> bytes:
        """A compact size and as many bytes."""
        return self.take(self.compact_size())

    def skips(self, known: bytes) -> bool:
        """Whether these very bytes come next; then they are behind it."""
        found = self._data.startswith(known, self.position)
        if found:
            self.position += len(known)
        return found

    @property
    def left(self) -> int:
        return len(self._data) - self.position

    def end(self) -> None:
        if self.left:
            raise BitcoinMalformed(f"{self._name}: {self.left} bytes follow its end at byte {self.position}")
