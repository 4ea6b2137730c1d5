"""The board over restarts: from the journal alone, and from a snapshot, it must be the same."""

import asyncio

import pytest
from nacl.signing import SigningKey

from controller.commands import Actor, CommandKeeper, CommandKeys, CommandService, board, keeper
from controller.journal import Journal
from shared.actions import Pool, SetPools
from shared.errors import Conflict, StorageFull

ANN, BOB = Actor("ann", "a"), Actor("bob", "b")
POOLS = SetPools((Pool("stratum+tcp://pool.example:3333", "u"),))


async def lived(door) -> dict[str, str]:
    """A little of everything; returns command ids by what became of them."""
    ended = await door.order("m-1")
    await door.say(ended.command_id, ("m-1", "sleep", "confirmed"))
    running = await door.order("m-1", "m-150")
    await door.dispatcher.deliver_due()
    pending = await door.order("m-2", action=POOLS)
    return {"ended": ended.command_id, "running": running.command_id, "pending": pending.command_id}


async def restarted(door) -> tuple[CommandService, CommandKeeper]:
    journal = Journal(door.store, door.clock)
    service = CommandService(journal, door.fleet, door.keys, door.clock)
    keeper = CommandKeeper(journal, service, door.store, door.clock)
    await keeper.restore()
    return service, keeper


async def test_everything_rebuilds_from_the_journal(door) -> None:
    commands = await lived(door)
    service, _ = await restarted(door)
    assert service.board.listed("tx1") == door.service.board.listed("tx1")
    assert service.board.counters.dump() == door.service.board.counters.dump()
    for command_id in commands.values():
        assert await service.view(command_id) == await door.service.view(command_id)


async def test_a_snapshot_with_its_tail_is_the_replay(door) -> None:
    commands = await lived(door)
    await door.keeper.checkpoint()
    await door.say(commands["running"], ("m-1", "sleep", "confirmed"))
    await door.service.approve(commands["pending"], BOB)
    await door.say(commands["ended"], ("m-1", "sleep", "unknown"))
    await door.order("m-9")
    service, _ = await restarted(door)
    assert service.board.listed("tx1") == door.service.board.listed("tx1")
    assert sorted(service.board.counters.dump()) == sorted(door.service.board.counters.dump())
    assert service.board.position == door.service.board.position
    for command_id in commands.values():
        assert await service.view(command_id) == await door.service.view(command_id)


async def test_counters_never_fall_back_even_if_the_clock_does(door) -> None:
    first = await door.order("m-1")
    door.clock.ms -= 3_600_000
    service, _ = await restarted(door)
    second = await service.issue(
        "tx1", [("m-1", POOLS, None)], reason="x", actor=ANN, expires_in_s=60, typed="1", second_actor=BOB
    )
    before = (await service.progress(first.command_id)).parts[1].counter
    after = (await service.progress(second.command_id)).parts[1].counter
    assert after > before


async def test_another_key_counts_for_itself(door) -> None:
    first = await door.order("m-1")
    keys = CommandKeys(SigningKey(bytes(32)), SigningKey(bytes(range(1, 33))))
    door.clock.ms -= 3_600_000
    journal = Journal(door.store, door.clock)
    service = CommandService(journal, door.fleet, keys, door.clock)
    await CommandKeeper(journal, service, door.store, door.clock).restore()
    second = await service.issue(
        "tx1", [("m-1", POOLS, None)], reason="x", actor=ANN, expires_in_s=60, typed="1", second_actor=BOB
    )
    parts = [(await service.progress(handle.command_id)).parts[1] for handle in (first, second)]
    assert parts[0].key_id != parts[1].key_id
    assert parts[1].counter < parts[0].counter


async def test_old_commands_leave_memory_and_are_read_back(door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "ENDED_KEPT_WHOLE", 2)
    monkeypatch.setattr(board, "SUMMARIES_KEPT", 3)
    ids = []
    for _ in range(7):
        handle = await door.order("m-1")
        await door.say(handle.command_id, ("m-1", "sleep", "confirmed"))
        ids.append(handle.command_id)
        door.clock.ms += 1_000
    found = door.service.board
    assert [summary.command_id for summary in found.listed("tx1")] == ids[:1:-1]
    assert (found.count("tx1"), found.count("mars")) == (5, 0)
    assert [summary.command_id for summary in found.listed("tx1", offset=1, limit=2)] == [ids[5], ids[4]]
    assert not found.holds(ids[0])
    assert (await door.service.view(ids[0])).summary.status == "ended"
    await door.say(ids[1], ("m-1", "sleep", "unknown"))
    assert len((await door.service.view(ids[1])).orders[0].trail) == 3


async def test_a_command_read_back_while_it_is_written_to_is_read_again(door) -> None:
    handle = await door.order("m-1")
    events = await door.journal.stream(f"command/{handle.command_id}")
    await door.say(handle.command_id, ("m-1", "sleep", "accepted"))
    await door.say(handle.command_id, ("m-1", "sleep", "confirmed"))
    later = await door.journal.stream(f"command/{handle.command_id}")
    fresh = board.CommandBoard(door.service.board.counters)
    fresh.put(handle.command_id, events)
    fresh.fold(later[3:])
    assert not fresh.holds(handle.command_id)


async def test_running_it_ends_what_is_due_and_saves_at_the_end(door) -> None:
    handle = await door.order("m-1", action=POOLS)
    running = asyncio.ensure_future(door.keeper.run())
    waiting = asyncio.ensure_future(door.service.settled(handle.command_id))
    await asyncio.sleep(0)
    door.clock.ms += 600_001
    await door.journal.append("wake", [])
    await door.order("m-1")
    view = await asyncio.wait_for(waiting, 5)
    assert view.summary.rule == "command.second-person-missing"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await door.store.load("commands/1") is not None


async def test_a_snapshot_is_taken_after_many_events(door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "EVENTS_BETWEEN_SNAPSHOTS", 1)
    saved = asyncio.Event()
    save = door.store.save

    async def saving(*args) -> None:
        await save(*args)
        saved.set()

    monkeypatch.setattr(door.store, "save", saving)
    running = asyncio.ensure_future(door.keeper.run())
    await door.order("m-1")
    await asyncio.wait_for(saved.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("error", [Conflict("somebody wrote first"), StorageFull("no room")])
async def test_what_cannot_be_written_is_ended_a_little_later(door, monkeypatch: pytest.MonkeyPatch, error) -> None:
    monkeypatch.setattr(keeper, "PAUSE_S", 0.01)
    handle = await door.order("m-1", action=POOLS)
    failures = [error, error]
    commit = door.store.commit

    async def failing(wanted, at_ms):
        if failures:
            raise failures.pop()
        return await commit(wanted, at_ms)

    monkeypatch.setattr(door.store, "commit", failing)
    door.clock.ms += 600_001
    running = asyncio.ensure_future(door.keeper.run())
    view = await asyncio.wait_for(door.service.settled(handle.command_id), 10)
    assert view.summary.rule == "command.second-person-missing"
    assert failures == []
    assert not running.done()

    async def full(*_args) -> None:
        raise StorageFull("no room")

    monkeypatch.setattr(door.store, "save", full)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
