"""Values as 16-bit registers, high word first, and the image that a meter serves."""

import struct
from collections.abc import Iterable

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
GATEWAY_NO_RESPONSE = 0x0B


class ModbusRefusal(Exception):
    """An exception response; `code` as the specification numbers it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class RegisterImage:
    """Registers of one table at one moment. Words between `spans` do not exist, unset words inside read as `fill`."""

    def __init__(self, spans: tuple[range, ...], fill: int = 0) -> None:
        self._spans = spans
        self._fill = fill
        self._words: dict[int, int] = {}

    def f32(self, address: int, *values: float) -> None:
        """IEEE 754 single precision, one value after the other."""
        self._put(address, struct.pack(f">{len(values)}f", *values))

    def integers(self, address: int, kind: str, values: Iterable[float]) -> None:
        """Rounded, and held at the type's ends; `kind` is the letter of `struct` (`h`, `H`, `i`, `I`, `q`, `Q`)."""
        bits = 8 * struct.calcsize(f">{kind}")
        low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if kind.islower() else (0, (1 << bits) - 1)
        rounded = [min(max(round(value), low), high) for value in values]
        self._put(address, struct.pack(f">{len(rounded)}{kind}", *rounded))

    def text(self, address: int, value: str, words: int) -> None:
        self._put(address, value.encode("ascii")[: 2 * words].ljust(2 * words, b"\0"))

    def read(self, address: int, count: int) -> bytes:
        """Big-endian bytes. ModbusRefusal 2 where a register does not exist."""
        if not any(address in span and address + count - 1 in span for span in self._spans):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        words = (self._words.get(at, self._fill) for at in range(address, address + count))
        return struct.pack(f">{count}H", *words)

    def _put(self, address: int, data: bytes) -> None:
        for offset, (word,) in enumerate(struct.iter_unpack(">H", data)):
            self._words[address + offset] = word
