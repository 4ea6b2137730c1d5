"""QR codes: the published example of the standard's arithmetic, and every picture read back by a reader of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.console import qr
from shared.errors import Malformed

BITCOIN = "BITCOIN:BCRT1P5D7RJQ7G6RDK2YHZKS9SMLAQTEDR4DEKQ08GE8ZTWAC72SFR9RUSXG3297"


def test_codewords_and_correction_of_a_known_code() -> None:
    """HELLO WORLD as version 1-M: https://www.thonky.com/qr-code-tutorial/error-correction-coding."""
    words = qr.codewords("HELLO WORLD", 16)
    assert words == [32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17]
    assert qr.correction(words, 10) == [196, 35, 39, 119, 235, 215, 231, 226, 93, 23]


def test_format_bits_of_the_standard() -> None:
    """Level M, masks 0 to 7: table of ISO/IEC 18004."""
    assert " ".join(f"{qr.format_bits(mask):015b}" for mask in range(8)) == (
        "101010000010010 101000100100101 101111001111100 101101101001011 "
        "100010111111001 100000011001110 100111110010111 100101010100000"
    )


def test_every_letter_count_up_to_the_largest_fits_its_version() -> None:
    assert [len(qr.matrix("A" * count)) for count in (20, 38, 61, 90, 122, 154)] == [21, 25, 29, 33, 37, 41]
    with pytest.raises(Malformed, match="155 letters are too many"):
        qr.matrix("A" * 155)


def test_what_it_cannot_say_is_refused() -> None:
    with pytest.raises(Malformed, match="no sign 'b'"):
        qr.matrix("bcrt1q")


@given(st.text(alphabet=qr.LETTERS, min_size=1, max_size=154))
def test_what_is_drawn_can_be_read(text: str) -> None:
    assert read(qr.matrix(text)) == text


def test_a_payment_uri_can_be_read() -> None:
    assert read(qr.matrix(BITCOIN)) == BITCOIN


def read(drawn: qr.Matrix) -> str:
    """As a camera's program does, from the picture alone; every block has to be without error."""
    side = len(drawn)
    version = qr.VERSIONS[(side - 21) // 4]
    around = [drawn[8][c] for c in (0, 1, 2, 3, 4, 5, 7, 8)] + [drawn[r][8] for r in (7, 5, 4, 3, 2, 1, 0)]
    beside = [drawn[side - 1 - r][8] for r in range(7)] + [drawn[8][side - 8 + c] for c in range(8)]
    assert around == beside
    masks = {f"{qr.format_bits(mask):015b}": mask for mask in range(8)}
    mask = qr.MASKS[masks["".join("01"[bit] for bit in around)]]
    bits = "".join("01"[drawn[r][c] != mask(r, c)] for r, c in qr.free_places(_reserved(side)))
    words = [int(bits[at : at + 8], 2) for at in range(0, 8 * (version.data + version.blocks * version.correction), 8)]
    data = b""
    for block in range(version.blocks):
        body = words[block : version.data : version.blocks]
        checks = words[version.data + block :: version.blocks]
        assert len(checks) == version.correction
        assert not any(_syndrome(body + checks, power) for power in range(version.correction))
        data += bytes(body)
    return _text("".join(f"{byte:08b}" for byte in data))


def _reserved(side: int) -> list[list[bool | None]]:
    grid: list[list[bool | None]] = [[None] * side for _ in range(side)]
    for row in range(side):
        for column in range(side):
            corner = (row < 9 and column < 9) or (row < 9 and column >= side - 8) or (row >= side - 8 and column < 9)
            aligned = side > 21 and abs(row - side + 7) <= 2 and abs(column - side + 7) <= 2
            if corner or aligned or row == 6 or column == 6:
                grid[row][column] = True
    return grid


def _syndrome(words: list[int], power: int) -> int:
    root, value = 1, 0
    for _ in range(power):
        root = qr.multiplied(root, 2)
    for word in words:
        value = qr.multiplied(value, root) ^ word
    return value


def _text(bits: str) -> str:
    assert bits[:4] == "0010"
    count, at, text = int(bits[4:13], 2), 13, ""
    while len(text) < count:
        width = 11 if count - len(text) > 1 else 6
        value, at = int(bits[at : at + width], 2), at + width
        text += qr.LETTERS[value // 45] + qr.LETTERS[value % 45] if width == 11 else qr.LETTERS[value]
    return text
