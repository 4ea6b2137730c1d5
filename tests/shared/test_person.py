"""One person has many spellings."""

import pytest

from shared.person import folded


@pytest.mark.parametrize(
    "spelling",
    [
        "anna berg",
        "  Anna   Berg ",
        "ANNA\tBERG",
        "Anna\u00a0Berg",
        "\uff21\uff4e\uff4e\uff41 Berg",  # full width
        "An\u200bna Berg",  # zero-width space
        "Anna\u00ad Berg\u200e",  # soft hyphen, direction mark
    ],
)
def test_spellings_of_one_person(spelling):
    assert folded(spelling) == folded("Anna Berg")


def test_an_accent_is_the_same_in_one_code_point_or_two():
    assert folded("Jos\u00e9") == folded("jose\u0301") != folded("Jose")


def test_sharp_s_and_ligatures():
    assert folded("Stra\u00dfe \ufb01n") == folded("STRASSE FIN")


def test_folding_twice_changes_nothing():
    for name in ("\u03d4", "\u1e9b\u0323", "\u0130pek", "A\u00a8 \u037a"):
        assert folded(folded(name)) == folded(name)


def test_other_people_stay_others():
    assert len({folded(name) for name in ("Anna", "Ann", "Anna Berg", "\u0410nna")}) == 4
