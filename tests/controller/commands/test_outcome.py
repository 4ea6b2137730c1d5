import asyncio

import pytest

from controller.commands import Actor, Arrival
from controller.fleet.model import RecordIdentity
from shared.actions import Reboot, SetPowerLimit
from shared.wire.command import OutcomeBatch, OutcomeRow

ANN = Actor("ann", "session-a")


@pytest.fixture
async def sent(door) -> str:
    """A command to m-1 and m-2 that the broker has taken."""
    handle = await door.order("m-1", "m-2")
    await door.dispatcher.deliver_due()
    return handle.command_id


async def test_an_order_goes_from_issued_to_confirmed(door, sent: str) -> None:
    for state in ("accepted", "acknowledged", "confirmed"):
        await door.say(sent, ("m-1", "sleep", state))
    view = await door.service.view(sent)
    assert [step.state.value for step in view.orders[0].trail] == [
        "issued",
        "sent",
        "accepted",
        "acknowledged",
        "confirmed",
    ]
    assert view.summary.counts == {"confirmed": 1, "sent": 1}
    assert view.summary.status == "running"
    await door.say(sent, ("m-2", "sleep", "confirmed"))
    assert (await door.service.view(sent)).summary.status == "ended"


async def test_late_repeated_and_backward_steps_change_no_state(door, sent: str) -> None:
    await door.say(sent, ("m-1", "sleep", "confirmed"))
    await door.say(sent, ("m-1", "sleep", "accepted"), ("m-1", "sleep", "unknown"))
    view = await door.service.view(sent)
    assert view.orders[0].state == "confirmed"
    assert len(view.orders[0].trail) == 5


async def test_a_report_may_overtake_the_word_that_it_was_sent(door) -> None:
    handle = await door.order("m-1")
    await door.say(handle.command_id, ("m-1", "sleep", "accepted"))
    await door.dispatcher.deliver_due()
    assert await door.states(handle.command_id) == {"m-1": "accepted"}


async def test_a_record_counts_once(door, sent: str) -> None:
    batch = OutcomeBatch(command_id=f"{sent}.1", rows=(OutcomeRow("m-1", "sleep", "accepted", 1),))
    arrival = Arrival("tx1", "n1", batch, RecordIdentity("e", 7))
    await door.inbox.handle_many([arrival, arrival])
    await door.inbox.handle_many([arrival])
    assert len((await door.service.view(sent)).orders[0].trail) == 3


async def test_a_refused_command_refuses_only_what_has_not_begun(door, sent: str) -> None:
    await door.say(sent, ("m-1", "sleep", "accepted"))
    await door.say(sent, ("", "", "refused", "command.expired"))
    assert await door.states(sent) == {"m-1": "accepted", "m-2": "refused"}
    [cause] = (await door.service.view(sent)).not_as_ordered
    assert (cause.state, cause.rule, cause.device_ids, cause.retryable) == (
        "refused",
        "command.expired",
        ("m-2",),
        False,
    )


async def test_a_word_of_a_newer_release_is_kept_but_decides_nothing_final(door, sent: str) -> None:
    await door.say(sent, ("m-1", "sleep", "celebrated"))
    view = await door.service.view(sent)
    assert (view.orders[0].state, view.orders[0].trail[-1].detail) == ("accepted", "celebrated: ")


async def test_another_node_cannot_speak_for_this_one(door, sent: str) -> None:
    await door.say(sent, ("m-1", "sleep", "confirmed"), node="n2")
    await door.say(sent, ("m-1", "sleep", "confirmed"), part=9)
    await door.say(sent, ("m-77", "sleep", "confirmed"))
    assert await door.states(sent) == {"m-1": "sent", "m-2": "sent"}
    assert door.inbox.refused == 2


async def test_silence_ends_as_unknown_and_a_late_word_corrects_it(door, sent: str) -> None:
    await door.say(sent, ("m-1", "sleep", "confirmed"))
    door.clock.ms += (60 + 60 + 15) * 1000  # expiry, confirmation, grace
    assert await door.keeper.end_overdue() == 0
    door.clock.ms += 1
    assert await door.keeper.end_overdue() == 1
    assert await door.keeper.end_overdue() == 0
    view = await door.service.view(sent)
    assert view.summary.status == "ended"
    assert (view.not_as_ordered[0].state, view.not_as_ordered[0].rule) == ("unknown", "command.silent")
    await door.say(sent, ("m-2", "sleep", "accepted"))
    assert (await door.states(sent))["m-2"] == "unknown"
    await door.say(sent, ("m-2", "sleep", "contradicted"))
    assert (await door.states(sent))["m-2"] == "contradicted"
    await door.say(sent, ("m-2", "sleep", "confirmed"))
    assert (await door.states(sent))["m-2"] == "contradicted"


async def test_what_never_reached_the_broker_is_not_sent_after_its_expiry(door) -> None:
    door.broker.down = True
    handle = await door.order("m-1")
    await door.dispatcher.deliver_due()
    door.clock.ms += 60_001
    door.broker.down = False
    await door.dispatcher.deliver_due()
    assert door.broker.commands == []
    [cause] = (await door.service.view(handle.command_id)).not_as_ordered
    assert (cause.state, cause.rule) == ("unknown", "command.undelivered")


async def test_causes_are_grouped_and_counted(door) -> None:
    handle = await door.order(*(f"m-{n}" for n in range(6)))
    await door.say(
        handle.command_id,
        *((f"m-{n}", "sleep", "refused", "interlock.inlet-high") for n in range(3)),
        ("m-3", "sleep", "contradicted"),
        ("m-4", "sleep", "contradicted"),
        ("m-5", "sleep", "confirmed"),
    )
    causes = (await door.service.view(handle.command_id)).not_as_ordered
    assert [(cause.rule, len(cause.device_ids), cause.retryable) for cause in causes] == [
        ("interlock.inlet-high", 3, False),
        ("", 2, True),
    ]


class TestRetry:
    async def test_it_covers_contradicted_and_unknown_only_as_a_new_command(self, door) -> None:
        handle = await door.order("m-1", "m-2", "m-3", "m-4", action=SetPowerLimit(2_000))
        verb = "set_power_limit"
        states = ("confirmed", "contradicted", "unknown", "refused")
        await door.say(handle.command_id, *((f"m-{n}", verb, state) for n, state in enumerate(states, start=1)))
        again = await door.service.retry(handle.command_id, actor=ANN)
        view = await door.service.view(again.command_id)
        assert [order.device_id for order in view.orders] == ["m-2", "m-3"]
        assert (view.summary.retry_of, view.summary.reason) == (handle.command_id, "retry: test")

    async def test_there_must_be_something_to_retry(self, door, sent: str) -> None:
        retry = door.service.retry
        assert await door.refused(retry(sent, actor=ANN)) == "command.not-ended"
        await door.say(sent, ("m-1", "sleep", "confirmed"), ("m-2", "sleep", "refused"))
        assert await door.refused(retry(sent, actor=ANN)) == "command.nothing-to-retry"

    async def test_what_must_not_happen_twice_is_not_repeated(self, door) -> None:
        handle = await door.order("m-1", action=Reboot())
        await door.say(handle.command_id, ("m-1", "reboot", "unknown"))
        [cause] = (await door.service.view(handle.command_id)).not_as_ordered
        assert not cause.retryable
        assert await door.refused(door.service.retry(handle.command_id, actor=ANN)) == "command.not-repeatable"


class TestSite:
    async def test_what_the_site_did_by_itself_is_on_the_board(self, door) -> None:
        rows = (OutcomeRow("m-1", "sleep", "accepted", 1, "interlock.chip-hot"),)
        done = (OutcomeRow("m-1", "sleep", "confirmed", 2),)
        first = Arrival("tx1", "n1", OutcomeBatch(command_id="local-1", rows=rows), RecordIdentity("e", 1))
        second = Arrival("tx1", "n1", OutcomeBatch(command_id="local-1", rows=done), RecordIdentity("e", 2))
        await door.inbox.handle_many([first, second])
        await door.inbox.handle_many([second])
        [summary] = door.service.board.listed("tx1")
        assert (summary.origin, summary.status, summary.actor) == ("site", "ended", "tx1/n1")
        trail = (await door.service.view(summary.command_id)).orders[0].trail
        assert [(step.state.value, step.rule) for step in trail] == [
            ("accepted", "interlock.chip-hot"),
            ("confirmed", ""),
        ]

    async def test_what_it_never_finished_telling_of_ends_unknown_a_quarter_of_an_hour_after_its_last_word(
        self, door
    ) -> None:
        await self.says(door, 1, OutcomeRow("m-1", "sleep", "accepted", 1), OutcomeRow("m-2", "sleep", "accepted", 1))
        door.clock.ms += 600_000
        await self.says(door, 2, OutcomeRow("m-2", "sleep", "confirmed", 2))
        door.clock.ms += 900_000
        assert await door.keeper.end_overdue() == 0
        door.clock.ms += 1
        assert await door.keeper.end_overdue() == 1
        assert await door.keeper.end_overdue() == 0
        [summary] = door.service.board.listed("tx1")
        assert (summary.status, summary.counts) == ("ended", {"unknown": 1, "confirmed": 1})
        assert list(door.service.board.open()) == []
        assert await door.states(summary.command_id) == {"m-1": "unknown", "m-2": "confirmed"}
        view = await door.service.view(summary.command_id)
        assert view.not_as_ordered[0].rule == "command.silent"
        await self.says(door, 3, OutcomeRow("m-1", "sleep", "confirmed", 3))  # its own word still counts
        assert await door.states(summary.command_id) == {"m-1": "confirmed", "m-2": "confirmed"}

    async def test_what_names_no_device_ends_too_and_what_goes_on_is_open_again(self, door) -> None:
        await self.says(door, 1, OutcomeRow("", "", "accepted", 1))
        door.clock.ms += 900_001
        assert await door.keeper.end_overdue() == 1
        assert list(door.service.board.open()) == []
        await self.says(door, 2, OutcomeRow("m-1", "sleep", "accepted", 2))
        [open_again] = door.service.board.open()
        assert open_again.status == "running"

    @staticmethod
    async def says(door, seq: int, *rows: OutcomeRow) -> None:
        await door.inbox.handle("tx1", "n1", OutcomeBatch(command_id="local-1", rows=rows), RecordIdentity("e", seq))

    async def test_outcomes_of_a_command_that_the_journal_lost_are_kept(self, door) -> None:
        await door.say("c-0123456789ab-01234567", ("m-1", "sleep", "confirmed"))
        [summary] = door.service.board.listed("tx1")
        assert (summary.origin, summary.devices) == ("site", 1)

    async def test_a_denial_without_a_name_is_written_down(self, door) -> None:
        rows = (OutcomeRow("", "", "refused", 1, "command.signature"),)
        await door.inbox.handle("tx1", "n1", OutcomeBatch(rows=rows), RecordIdentity("e", 1))
        [event] = await door.journal.stream("site-denied/tx1/n1")
        assert "command.signature" in event.data.decode()


async def test_waiting_for_the_end(door, sent: str) -> None:
    waiting = asyncio.ensure_future(door.service.settled(sent))
    await door.say(sent, ("m-1", "sleep", "confirmed"))
    assert not waiting.done()
    await door.say(sent, ("m-2", "sleep", "refused", "x.y"))
    view = await asyncio.wait_for(waiting, 5)
    assert view.summary.counts == {"confirmed": 1, "refused": 1}
