"""QR codes (ISO/IEC 18004) of texts in capital letters, digits and a few signs: what an address and its URI need.

Versions 1 to 6 at error correction M (a seventh of the picture may be lost), alphanumeric mode, the best of all masks.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from shared.errors import Malformed

LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
QUIET_ZONE: Final = 4
"""Light modules that have to stand around the picture."""

Matrix = tuple[tuple[bool, ...], ...]
Grid = list[list[bool | None]]


class Version(NamedTuple):
    """`blocks` of equal length share `data` codewords; each has `correction` codewords beside its share."""

    number: int
    data: int
    correction: int
    blocks: int

    @property
    def side(self) -> int:
        return 17 + 4 * self.number


VERSIONS: Final = (
    Version(1, 16, 10, 1),
    Version(2, 28, 16, 1),
    Version(3, 44, 26, 1),
    Version(4, 64, 18, 2),
    Version(5, 86, 24, 2),
    Version(6, 108, 16, 4),
)
MASKS: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _column: row % 2 == 0,
    lambda _row, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)
_MODE: Final = "0010"
_COUNT_BITS: Final = 9
_PADDING: Final = ("11101100", "00010001")
_FORMAT_GENERATOR: Final = 0x537
_FORMAT_MASK: Final = 0x5412
_FINDER_LIKE: Final = ((1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0), (0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1))


@lru_cache(maxsize=64)
def matrix(text: str) -> Matrix:
    """Rows of dark (True) and light modules without the quiet zone; Malformed for a text that does not fit."""
    if unknown := sorted(set(text) - set(LETTERS)):
        raise Malformed(f"a QR code of this kind has no sign {unknown[0]!r}")
    version = next((one for one in VERSIONS if _bits_of(text) <= 8 * one.data), None)
    if version is None:
        raise Malformed(f"{len(text)} letters are too many for this QR code")
    words = _interleaved(version, codewords(text, version.data))
    drawn = [_drawn(version, words, mask) for mask in range(len(MASKS))]
    return min(drawn, key=_penalty)


def codewords(text: str, count: int) -> list[int]:
    """The text as `count` bytes, padded."""
    values = [LETTERS.index(letter) for letter in text]
    bits = _MODE + f"{len(values):0{_COUNT_BITS}b}"
    for at in range(0, len(values) - 1, 2):
        bits += f"{45 * values[at] + values[at + 1]:011b}"
    if len(values) % 2:
        bits += f"{values[-1]:06b}"
    bits += "0" * min(4, 8 * count - len(bits))
    bits += "0" * (-len(bits) % 8)
    padding = (_PADDING[place % 2] for place in range(count - len(bits) // 8))
    bits += "".join(padding)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def correction(data: Sequence[int], count: int) -> list[int]:
    """Reed-Solomon codewords over GF(256): the rest of the data divided by the generator of this degree."""
    rest = [*data, *([0] * count)]
    factors = _generator(count)
    for at in range(len(data)):
        lead = rest[at]
        for place, factor in enumerate(factors):
            rest[at + place] ^= multiplied(lead, factor)
    return rest[len(data) :]


def multiplied(one: int, other: int) -> int:
    """In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = one << 1 ^ (0x11D if one & 0x80 else 0)
        other >>= 1
    return product


def format_bits(mask: int) -> int:
    """15 bits: correction level M (00) and the mask, with their own BCH code."""
    rest = mask << 10
    for shift in range(4, -1, -1):
        if rest >> (shift + 10) & 1:
            rest ^= _FORMAT_GENERATOR << shift
    return (mask << 10 | rest) ^ _FORMAT_MASK


@lru_cache(maxsize=16)
def _generator(degree: int) -> tuple[int, ...]:
    """The product of (x - 2^i) for i below the degree, highest power first."""
    factors, root = [1], 1
    for _ in range(degree):
        shifted = [*factors, 0]
        for place, factor in enumerate(factors):
            shifted[place + 1] ^= multiplied(factor, root)
        factors, root = shifted, multiplied(root, 2)
    return tuple(factors)


def _bits_of(text: str) -> int:
    return len(_MODE) + _COUNT_BITS + 11 * (len(text) // 2) + 6 * (len(text) % 2)


def _interleaved(version: Version, data: Sequence[int]) -> list[int]:
    share = version.data // version.blocks
    blocks = [data[at : at + share] for at in range(0, version.data, share)]
    corrections = [correction(block, version.correction) for block in blocks]
    return [word for group in (blocks, corrections) for words in zip(*group, strict=True) for word in words]


def _drawn(version: Version, words: Sequence[int], mask: int) -> Matrix:
    grid: Grid = [[None] * version.side for _ in range(version.side)]
    _draw_patterns(version, grid)
    _draw_format(grid, format_bits(mask))
    bits = (word >> shift & 1 for word in words for shift in range(7, -1, -1))
    for row, column in free_places(grid):
        grid[row][column] = bool(next(bits, 0)) != MASKS[mask](row, column)
    return tuple(tuple(bool(module) for module in row) for row in grid)


def free_places(grid: Sequence[Sequence[bool | None]]) -> Iterator[tuple[int, int]]:
    """Where data stands, in its order: pairs of columns from the right, up and down in turn; column 6 is a pattern."""
    side = len(grid)
    columns = [column for column in range(side - 1, 0, -2) if column > 6] + [5, 3, 1]
    for number, right in enumerate(columns):
        rows = range(side) if number % 2 else range(side - 1, -1, -1)
        for row in rows:
            for column in (right, right - 1):
                if grid[row][column] is None:
                    yield row, column


def _draw_patterns(version: Version, grid: Grid) -> None:
    side = version.side
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        for row in range(max(0, top - 1), min(side, top + 8)):
            for column in range(max(0, left - 1), min(side, left + 8)):
                ring = max(abs(row - top - 3), abs(column - left - 3))
                grid[row][column] = ring in (0, 1, 3)
    if version.number > 1:
        centre = side - 7
        for row in range(centre - 2, centre + 3):
            for column in range(centre - 2, centre + 3):
                grid[row][column] = max(abs(row - centre), abs(column - centre)) != 1
    for place in range(8, side - 8):
        grid[6][place] = grid[place][6] = place % 2 == 0


def _draw_format(grid: Grid, bits: int) -> None:
    """Twice: around the upper left finder, and beside the two others. Bit 0 is the lowest."""
    side = len(grid)
    rows = [0, 1, 2, 3, 4, 5, 7, 8]
    for place in range(15):
        dark = bool(bits >> place & 1)
        if place < 8:
            grid[rows[place]][8] = dark
            grid[8][side - 1 - place] = dark
        else:
            grid[8][rows[14 - place]] = dark
            grid[side - 15 + place][8] = dark
    grid[side - 8][8] = True


def _penalty(drawn: Matrix) -> int:
    """How hard a camera finds it, as the standard counts: runs, blocks, what looks like a finder, uneven darkness."""
    lines = [*drawn, *zip(*drawn, strict=True)]
    total = sum(_of_line(line) for line in lines)
    for upper, lower in pairwise(drawn):
        squares = zip(upper, upper[1:], lower, lower[1:], strict=False)
        total += 3 * sum(one == two == three == four for one, two, three, four in squares)
    dark = sum(map(sum, drawn)) * 100 / len(drawn) ** 2
    return total + 10 * int(abs(dark - 50) / 5)


def _of_line(line: Sequence[bool]) -> int:
    runs = (len(list(same)) for _, same in groupby(line))
    like = sum(tuple(line[at : at + 11]) in _FINDER_LIKE for at in range(len(line) - 10))
    return sum(run - 2 for run in runs if run >= 5) + 40 * like
