import pytest

from controller.contracts.sentence import age, listed, sentence
from shared.wire.contract import SpendingPath


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (1, "1 block (about 10 minutes)"),
        (8, "8 blocks (about 80 minutes)"),
        (9, "9 blocks (about 2 hours)"),
        (144, "144 blocks (about 24 hours)"),
        (288, "288 blocks (about 2 days)"),
        (4_320, "4,320 blocks (about 30 days)"),
        (65_535, "65,535 blocks (about 455 days)"),
    ],
)
def test_blocks_come_with_about_how_long_they_take(blocks, words):
    assert age(blocks) == words


def test_names_are_listed_as_people_do():
    assert listed(("Anna",)) == "Anna"
    assert listed(("Anna", "Ben")) == "Anna and Ben"
    assert listed(("Anna", "Ben", "Rosa")) == "Anna, Ben and Rosa"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (SpendingPath("a", "signer", ("Anna",), 1), "Anna alone, at once."),
        (SpendingPath("a", "signer", ("Anna", "Ben"), 1), "Any one of Anna and Ben, at once."),
        (SpendingPath("key path", "signer", ("Anna", "Ben"), 2), "Anna and Ben as one key, at once."),
        (SpendingPath("a", "signer", ("Anna", "Ben"), 2, leaf=0), "Anna and Ben together, at once."),
        (
            SpendingPath("a", "recovery", ("Rosa",), 1, 144, 900_000),
            "From height 900,000 on and after 144 blocks (about 24 hours) without a refresh, Rosa alone.",
        ),
        (
            SpendingPath("a", "signer", tuple(map(str, range(15))), 11, 288),
            "After 288 blocks (about 2 days) without a refresh, any 11 of "
            "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 14.",
        ),
    ],
)
def test_a_path_in_words(path, words):
    assert sentence(path) == words
