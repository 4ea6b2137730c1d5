"""What units draw against their curves: learned where it stands still, kept where it does not."""

import pytest

from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.unit import Units
from shared.states import OpState
from tests.controller.mining.conftest import MINERS, Machine, Node, record

NOBODY = Bonds()
QUARTER_MS = 901_000


def seen(node: Node, before: Units | None = None, bonds: Bonds = NOBODY, after_ms: int = 1_000) -> Units:
    node.report(after_ms)
    snapshot = node.twin.snapshot("tx1")
    return (before or Units.unknown(snapshot.roster)).of(snapshot.roster).seen(snapshot, bonds)


def put(node: Node, state: OpState, power_w: float, device: str = MINERS[0]) -> None:
    node.machines[device] = Machine(state=state, power_w=power_w, hashrate_ths=power_w / 30)


def row(units: Units, device: str = MINERS[0]) -> int:
    return units.roster.row[device]


def test_a_share_is_kept_asleep_and_on_the_way_up_until_it_has_arrived(node) -> None:
    put(node, OpState.HASHING, 3_360.0)
    units = seen(node)
    assert units.share[row(units)] == 1.05
    for state, power_w in ((OpState.SLEEPING, 25.0), (OpState.STARTING, 100.0), (OpState.HASHING, 1_000.0)):
        put(node, state, power_w)
        units = seen(node, units)
        assert units.share[row(units)] == 1.05
    assert units.moving_w[row(units)] == 2_360  # what is still to come
    put(node, OpState.HASHING, 3_264.0)
    units = seen(node, units)
    assert units.share[row(units)] == 1.02
    assert units.moving_w[row(units)] == 0


def test_one_that_never_arrives_is_believed_in_the_end(node) -> None:
    put(node, OpState.SLEEPING, 25.0)
    units = seen(node)
    put(node, OpState.HASHING, 2_240.0)  # a board has died
    units = seen(node, units)
    assert units.share[row(units)] == 1.0
    node.silent.add(MINERS[0])
    units = seen(node, units, after_ms=61_000)  # silence is no sleep
    node.silent.clear()
    units = seen(node, units, after_ms=QUARTER_MS)
    assert units.share[row(units)] == 0.7


def test_one_that_loses_power_while_it_hashes_is_believed_at_once(node) -> None:
    units = seen(node)
    put(node, OpState.HASHING, 2_240.0)
    units = seen(node, units)
    assert units.share[row(units)] == 0.7


@pytest.mark.parametrize("bonds", [Bonds(ordered={MINERS[0]: 0}), Bonds(settling={MINERS[0]: 0})])
def test_nothing_is_learned_from_one_under_an_order(node, bonds: Bonds) -> None:
    put(node, OpState.HASHING, 3_360.0)
    units = seen(node, None, bonds)
    assert units.share[row(units)] == 1.0
    assert units.moving_w[row(units)] == 3_360


def test_readings_that_cannot_be_are_not_believed_whole(node) -> None:
    put(node, OpState.HASHING, 9_000.0)
    units = seen(node)
    assert units.share[row(units)] == 1.3


def test_shares_follow_their_miners_into_another_roster(node) -> None:
    put(node, OpState.HASHING, 3_360.0, MINERS[7])
    units = seen(node)
    node.twin.configure(node.twin.snapshot("tx1").site, [record("m-new")])
    units = seen(node, units)
    assert units.share[row(units, MINERS[7])] == 1.05
    assert units.share[row(units, "m-new")] == 1.0
