"""A person's orders keep dispatch away from their miners, until somebody gives them back."""

import msgspec
import pytest

from controller.commands import Actor, AuthorityPolicy, Origin
from shared.actions import Locate, Restart, SetPowerLimit, SetPowerMode, Sleep, SwitchOutlet, Wake
from shared.site import Placement, miner_id
from tests.controller.commands.conftest import ANN, SITE, Door

BOB = Actor("bob", "session-b")
DISPATCH = Actor("dispatch", origin=Origin.DISPATCH)
ROBOT = Actor("program robot", "token-1", Origin.PROGRAM, sponsor="ann")


@pytest.fixture
def door(door: Door) -> Door:
    """Outlet 3 of p-1 feeds one miner."""
    plugged = Placement(
        mac="02:00:00:00:00:09", feeder="f", container="c", rack=1, shelf=1, slot=1, pdu="p-1", outlet=3
    )
    door.fleet.sites[SITE] = msgspec.structs.replace(door.fleet.sites[SITE], placement=(plugged,))
    return door


@pytest.mark.parametrize("action", [Sleep(), SetPowerLimit(2_000), SetPowerMode("low")], ids=lambda action: action.verb)
@pytest.mark.parametrize("actor", [ANN, ROBOT], ids=["person", "token"])
async def test_what_a_person_ordered_is_held_with_who_when_and_why(door: Door, action, actor: Actor) -> None:
    handle = await door.order("m-1", action=action, actor=actor, reason="fan swap")
    hold = door.service.holds.of(SITE)["m-1"]
    assert (hold.by, hold.at_ms, hold.reason) == (actor.name, door.clock.ms, "fan swap")
    assert hold.command_id == handle.command_id
    assert door.service.holds.held(SITE) == {"m-1"}
    assert door.service.holds.held("mars") == frozenset()


@pytest.mark.parametrize("action", [Restart(), Locate(True), Wake()], ids=lambda action: action.verb)
async def test_orders_that_dispatch_does_not_undo_hold_nothing(door: Door, action) -> None:
    await door.order("m-1", action=action)
    assert door.service.holds.held(SITE) == frozenset()
    assert await door.journal.stream("hold") == []


async def test_dispatch_holds_nothing_and_releases_nothing(door: Door) -> None:
    await door.order("m-1", actor=DISPATCH)
    assert door.service.holds.held(SITE) == frozenset()
    await door.order("m-2")
    await door.order("m-2", action=Wake(), actor=DISPATCH)
    assert door.service.holds.held(SITE) == {"m-2"}


async def test_an_outlet_that_is_switched_off_holds_the_miner_behind_it(door: Door) -> None:
    behind = miner_id("02:00:00:00:00:09")
    await door.order("p-1", action=SwitchOutlet(3, False))
    assert door.service.holds.held(SITE) == {behind}
    await door.order("p-1", action=SwitchOutlet(3, True), actor=BOB)
    assert door.service.holds.held(SITE) == frozenset()
    await door.order("p-1", action=SwitchOutlet(4, False))
    assert door.service.holds.held(SITE) == frozenset()


async def test_an_order_to_wake_by_anybody_gives_the_miner_back(door: Door) -> None:
    await door.order("m-1", "m-2")
    await door.order("m-1", action=Wake(), actor=BOB)
    assert door.service.holds.held(SITE) == {"m-2"}


async def test_a_release_names_who_was_held_and_wakes_listeners(door: Door) -> None:
    changed: list[str] = []
    door.service.holds.listen(changed.append)
    await door.order("m-1", "m-2")
    freed = await door.service.holds.release(SITE, ["m-2", "m-3"], "done", "bob")
    assert freed == ("m-2",)
    assert changed == [SITE, SITE]
    last = (await door.journal.stream("hold"))[-1]
    assert (last.name, last.actor) == ("MinersReleased", "bob")
    release = door.service.holds.release
    assert await door.refused(release(SITE, ["m-2"], "done", "bob")) == "command.not-held"
    assert await door.refused(release("mars", ["m-1"], "done", "bob")) == "command.not-held"
    assert await door.refused(release(SITE, ["m-1"], " ", "bob")) == "command.reason-missing"


async def test_holds_are_rebuilt_from_the_journal_with_or_without_a_snapshot(door: Door) -> None:
    await door.order("m-1", "m-2")
    await door.keeper.checkpoint()
    await door.order("m-1", action=Wake())
    again = Door(door.store, door.clock, door.fleet, AuthorityPolicy())
    await again.keeper.restore()
    assert again.service.holds.of(SITE) == door.service.holds.of(SITE)
    assert again.service.holds.held(SITE) == {"m-2"}


async def test_while_the_order_is_being_written_its_miners_are_held_already(door: Door, monkeypatch) -> None:
    seen: list[frozenset[str]] = []
    commit = door.journal.commit

    async def watched(written):
        seen.append(door.service.holds.held(SITE))
        return await commit(written)

    monkeypatch.setattr(door.journal, "commit", watched)
    await door.order("m-1")
    assert seen == [frozenset({"m-1"})]


@pytest.mark.parametrize("policy", [AuthorityPolicy(second_person_power_w=3_000)])
async def test_what_waits_for_a_second_person_holds_nothing_before_it_goes_out(door: Door) -> None:
    handle = await door.order("m-1")
    assert handle.status == "pending"
    assert door.service.holds.held(SITE) == frozenset()
    await door.service.approve(handle.command_id, BOB)
    hold = door.service.holds.of(SITE)["m-1"]
    assert (hold.by, hold.command_id) == ("ann", handle.command_id)
