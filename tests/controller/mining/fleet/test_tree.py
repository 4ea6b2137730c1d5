"""The electrical tree as slices."""

import numpy as np
import pytest

from controller.mining.fleet.tree import NO_LIMIT_W, FeederTree
from shared.errors import SettingInvalid
from shared.site import Feeder


def feeders(*pairs: tuple[str, str | None]) -> list[Feeder]:
    return [Feeder(id=name, kind="any", parent=parent) for name, parent in pairs]


def test_everything_below_a_feeder_is_one_slice_whatever_the_order_of_the_file() -> None:
    tree = FeederTree.of(feeders(("leaf", "mid"), ("other", None), ("mid", "top"), ("top", None), ("leaf2", "top")))
    assert tree.ids == ("other", "top", "mid", "leaf", "leaf2")
    assert tree.parent.tolist() == [-1, -1, 1, 2, 1]
    assert tree.end.tolist() == [1, 5, 4, 4, 5]
    assert tree.depth.tolist() == [0, 0, 1, 2, 1]
    assert tree.below(np.array([1, 10, 100, 1000, 10000])).tolist() == [1, 11110, 1100, 1000, 10000]
    assert tree.least_above(np.array([9, 5, 7, 6, 4])).tolist() == [9, 5, 5, 5, 4]
    assert tree.chain(3) == (3, 2, 1)
    assert tree.ancestor[0].tolist() == [0, 1, 1, 1, 1]
    assert (tree.cap_w == NO_LIMIT_W).all()


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        ((("a", "nowhere"),), "hangs below 'nowhere'"),
        ((("a", "b"), ("b", "a")), "its own ancestor"),
        ((("a", "a"),), "its own ancestor"),
    ],
)
def test_refuses_what_is_no_forest(pairs: tuple, complaint: str) -> None:
    with pytest.raises(SettingInvalid, match=complaint):
        FeederTree.of(feeders(*pairs))


def test_a_site_without_feeders_is_an_empty_tree() -> None:
    tree = FeederTree.of([])
    assert len(tree) == 0
    assert tree.levels == ()
