import msgspec
import pytest

from controller.fleet import ElectricalTree
from shared.errors import SettingInvalid
from shared.site import Feeder, Site, miner_id


def test_the_tree_knows_paths_members_and_the_tightest_limit(site: Site) -> None:
    tree = ElectricalTree(site)
    first = miner_id(site.placement[0].mac)
    assert tree.path("f0") == ("main", "f0")
    assert tree.feeders[0].id == "main"
    assert tree.feeder_of(first) == "f0"
    assert tree.feeder_of("m-main") == "main"
    assert tree.feeder_of("m-unheard") is None
    assert len(tree.devices_below("f0")) == 5
    assert len(tree.devices_below("main")) == 21
    assert tree.feeders[1].capacity_w == 55_425  # 0.8 · √3 · 400 V · 100 A


def test_a_contradictory_site_is_refused_with_every_reason(site: Site) -> None:
    bad = msgspec.structs.replace(
        site, feeder=(*site.feeder, Feeder(id="a", kind="x", parent="b"), Feeder(id="b", kind="x", parent="a"))
    )
    with pytest.raises(SettingInvalid, match=r"'a' is its own ancestor.*'b' is its own ancestor"):
        ElectricalTree(bad)
