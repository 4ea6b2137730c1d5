"""The eight characters after `#` that catch a mistyped descriptor (BIP-380)."""

from collections.abc import Iterator
from typing import Final

from shared.errors import BitcoinMalformed

_INPUT: Final = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
_OUTPUT: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
LENGTH: Final = 8


def checksum(text: str) -> str:
    """Of a descriptor without its `#` and checksum; BitcoinMalformed where a character is not of a descriptor."""
    state = 1
    for symbol in _symbols(text):
        state = _step(state, symbol)
    for _ in range(LENGTH):
        state = _step(state, 0)
    state ^= 1
    return "".join(_OUTPUT[(state >> (5 * (LENGTH - 1 - place))) & 31] for place in range(LENGTH))


def split(text: str) -> str:
    """The descriptor without its checksum, which is checked where it stands there."""
    body, mark, given = text.partition("#")
    if mark and given != checksum(body):
        raise BitcoinMalformed(
            f"descriptor: the checksum is #{given[:20]} and should be #{checksum(body)}; look for a mistyped character"
        )
    return body


def _symbols(text: str) -> Iterator[int]:
    """The low five bits of each character, and after every third one the high bits of the three."""
    group: list[int] = []
    for place, character in enumerate(text):
        value = _INPUT.find(character)
        if value < 0:
            raise BitcoinMalformed(f"descriptor: {character!r} at character {place} is not of a descriptor")
        yield value & 31
        group.append(value >> 5)
        if len(group) == 3:
            yield _grouped(group)
            group = []
    if group:
        yield _grouped(group)


def _grouped(group: list[int]) -> int:
    total = 0
    for high in group:
        total = total * 3 + high
    return total


def _step(state: int, symbol: int) -> int:
    high = state >> 35
    state = (state & 0x7FFFFFFFF) << 5 ^ symbol
    for place, term in enumerate(_GENERATOR):
        if high >> place & 1:
            state ^= term
    return state
