import pytest

from controller.contracts.route import routes
from shared.bitcoin.miniscript import NUMS_KEY
from tests.controller.contracts.scene import denied, party, static_key


def test_a_tree_over_nobodys_key_has_no_key_path():
    parties = (party("Anna", 0, key=static_key),)
    (only,) = routes(f"tr({NUMS_KEY},pk({static_key(0)}))", parties)
    assert (only.path.leaf, only.path.keys) == (0, ("Anna",))


@pytest.mark.parametrize("text", ["wsh(older(9))", "wsh(sortedmulti(1,A,B))", "pkh(A)"])
def test_a_script_whose_paths_cannot_be_told_has_none(text):
    with denied("template.insane"):
        routes(text, (party("Anna", 0),))
