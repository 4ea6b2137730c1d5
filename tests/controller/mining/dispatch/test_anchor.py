"""Meters against miners: compared only while nothing moves, remembered while something does."""

import pytest

from controller.mining.dispatch.anchor import Anchors, anchored
from controller.mining.dispatch.bond import Bonds
from shared.states import OpState
from tests.controller.mining.conftest import MINERS, Machine, Node, small_site

NOBODY = Bonds()


def after(node: Node, before: Anchors | None = None, bonds: Bonds = NOBODY) -> Anchors:
    return anchored(before, node.twin.snapshot("tx1"), bonds)


def at(anchors: Anchors, feeder: str) -> int:
    return anchors.tree.index[feeder]


def test_a_meter_is_compared_with_what_the_miners_draw_now(node) -> None:
    node.meter_w = {"main": 27_100.0, "meter-c1": 13_000.0}
    node.report()
    anchors = after(node)
    site, c1, c2 = (at(anchors, name) for name in ("site", "c1", "c2"))
    assert (anchors.metered_w[site], anchors.drawn_w[site]) == (27_100, 26_600)
    assert anchors.hidden_w[c1] == 200  # what the container's meter explains is not hidden at the site as well
    assert anchors.hidden_w[site] == 300
    assert not anchors.knows(c2)
    assert anchors.meter_w(site, 27_100) == 27_100


@pytest.mark.parametrize(
    "bonds", [Bonds(ordered={MINERS[0]: 0}), Bonds(settling={MINERS[0]: 0})], ids=["ordered", "settling"]
)
def test_while_something_moves_the_last_anchor_stays(node, bonds: Bonds) -> None:
    before = after(node)
    node.meter_w = {"main": 24_000.0}
    node.report()
    anchors = after(node, before, bonds)
    site = at(anchors, "site")
    assert anchors.metered_w[site] == 26_600
    assert not anchors.fresh[site]
    assert after(node, anchors).metered_w[site] == 24_000


def test_a_ramp_moves_only_the_feeders_above_it(node) -> None:
    before = after(node)
    node.machines[MINERS[7]] = Machine(state=OpState.TUNING, power_w=900.0)
    node.report()
    anchors = after(node, before)
    assert anchors.fresh[at(anchors, "c1")]
    assert not anchors.fresh[at(anchors, "site")]


def test_without_a_quiet_moment_nothing_is_known(node) -> None:
    anchors = after(node, None, Bonds(ordered=dict.fromkeys(MINERS, 0)))
    assert not anchors.knows(at(anchors, "site"))
    assert (anchors.hidden_w == 0).all()


def test_losses_fall_with_the_square_of_the_load(node) -> None:
    """Two per cent of the load, seven tenths of them copper: at half the load a quarter of those seven are left."""
    full_w, loss_w = 26_600 / 0.98, 26_600 / 0.98 - 26_600
    node.meter_w = {"main": full_w}
    node.report()
    anchors = after(node)
    site = at(anchors, "site")
    load_w = 26_600 + anchors.hidden_w[site]
    halved_w = anchors.meter_w(site, load_w - 13_300)
    assert halved_w == pytest.approx(13_300 + 0.3 * loss_w + 0.7 * loss_w / 4, abs=8)
    assert anchors.load_w(site, halved_w) == pytest.approx(load_w - 13_300, abs=8)


def test_losses_learned_at_full_load_are_kept_at_a_low_one(node) -> None:
    node.meter_w = {"main": 26_600 / 0.98}
    node.report()
    full = after(node)
    for machine in node.machines.values():
        machine.state, machine.power_w, machine.hashrate_ths = OpState.SLEEPING, 25.0, 0.0
    node.meter_w = {"main": 1_400.0}
    node.report()
    low = after(node, full)
    site = at(low, "site")
    assert low.metered_w[site] == 1_400
    assert low.copper_per_w[site] == full.copper_per_w[site]


def test_a_miner_that_nobody_sees_hides_no_load_and_counts_as_no_loss(node) -> None:
    node.silent.add(MINERS[0])
    node.meter_w = {"main": 26_600.0 - 3_200.0}  # it draws nothing, and the meter shows it
    node.report(after_ms=61_000)
    anchors = after(node)
    site = at(anchors, "site")
    assert anchors.drawn_w[site] == 26_600
    assert anchors.meter_w(site, 26_600) == 23_400
    assert anchors.copper_per_w[site] == 0


def test_a_site_that_is_described_anew_begins_anew(node) -> None:
    before = after(node)
    node.twin.configure(small_site(site_limit_w=29_000))
    moving = Bonds(ordered=dict.fromkeys(MINERS, 0))
    assert not after(node, before, moving).knows(0)
