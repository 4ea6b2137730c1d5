"""What a node may have missed goes out again: the same bytes, in time, until the node is heard."""

import pytest
from nacl.signing import SigningKey

from controller.commands import Actor, CommandKeeper, CommandKeys, CommandService
from controller.journal import Journal
from shared.actions import Pool, Reboot, SetPools

BOB = Actor("bob", "session-b")
POOLS = SetPools((Pool("stratum+tcp://pool.example:3333", "u"),))


@pytest.fixture
async def sent(door) -> str:
    """A command to m-1 that the broker has taken."""
    handle = await door.order("m-1", action=Reboot())
    await door.dispatcher.deliver_due()
    return handle.command_id


async def back(door, node: str = "n1", service: CommandService | None = None) -> list[bytes]:
    """The node comes back; what the broker is given then."""
    before = len(door.broker.commands)
    await (service or door.service).node_returned("tx1", node)
    await door.dispatcher.deliver_due()
    return [sealed for _, _, sealed in door.broker.commands[before:]]


async def test_a_node_that_comes_back_gets_the_same_bytes(door, sent: str) -> None:
    first = [sealed for _, _, sealed in door.broker.commands]
    assert await back(door) == first
    assert await back(door) == first
    names = [event.name for event in await door.journal.stream(f"command/{sent}")]
    assert names[2:] == ["PartSent", "PartResent", "PartSent", "PartResent", "PartSent"]
    view = await door.service.view(sent)
    assert [step.state.value for step in view.orders[0].trail] == ["issued", "sent", "sent", "sent"]


async def test_also_from_a_controller_that_was_killed_in_between(door, sent: str) -> None:
    journal = Journal(door.store, door.clock)
    reborn = CommandService(journal, door.fleet, door.keys, door.clock)
    await CommandKeeper(journal, reborn, door.store, door.clock).restore()
    assert await back(door, service=reborn) == [door.broker.commands[0][2]]


async def test_also_with_the_second_persons_signature(door) -> None:
    handle = await door.order("m-1", action=POOLS)
    await door.service.approve(handle.command_id, BOB)
    await door.dispatcher.deliver_due()
    assert await back(door) == [door.broker.commands[0][2]]
    assert len(door.opened()[-1][1]) == 2


@pytest.mark.parametrize("state", ["accepted", "acknowledged", "confirmed", "refused"])
async def test_a_word_of_the_node_is_enough(door, state: str) -> None:
    handle = await door.order("m-1", "m-2")
    await door.dispatcher.deliver_due()
    await door.say(handle.command_id, ("m-1", "sleep", state))
    assert await back(door) == []


async def test_nothing_goes_out_again_after_its_expiry(door, sent: str) -> None:
    door.clock.ms += 60_001
    assert await back(door) == []


async def test_what_still_waits_for_the_broker_is_not_queued_twice(door) -> None:
    door.broker.down = True
    await door.order("m-1")
    assert await back(door) == []
    door.broker.down = False
    door.clock.ms += 1_000
    assert len(await back(door)) == 1


async def test_each_node_gets_its_own_part_in_the_order_of_the_counters(door) -> None:
    for devices in (("m-1", "m-150"), ("m-2",)):
        await door.order(*devices)
        door.clock.ms += 1
    await door.dispatcher.deliver_due()
    assert len(await back(door, "n1")) == 2
    counters = [command.counter for command, _ in door.opened()[-2:]]
    assert counters == sorted(counters)
    assert len(await back(door, "n2")) == 1
    assert await back(door, "n3") == []


async def test_a_controller_with_other_keys_sends_nothing_under_an_old_counter(door, sent: str) -> None:
    journal = Journal(door.store, door.clock)
    keys = CommandKeys(SigningKey(bytes(32)), door.keys.approval)
    stranger = CommandService(journal, door.fleet, keys, door.clock)
    await CommandKeeper(journal, stranger, door.store, door.clock).restore()
    assert await back(door, service=stranger) == []


async def test_a_resend_that_came_too_late_ends_nothing(door, sent: str) -> None:
    """The first copy may have arrived: only the deadline ends the order."""
    await door.service.node_returned("tx1", "n1")
    door.clock.ms += 60_001
    await door.dispatcher.deliver_due()
    assert len(door.broker.commands) == 1
    assert await door.states(sent) == {"m-1": "sent"}
    door.clock.ms += 300_000
    await door.keeper.end_overdue()
    assert await door.states(sent) == {"m-1": "unknown"}
