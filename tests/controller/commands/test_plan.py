import pytest
from msgspec.structs import replace

from controller.commands import Actor, CommandKeeper, CommandService, PlanRequest
from controller.commands.event import PlanIssued, codec
from controller.journal import Journal

ANN = Actor("ann", "session-a")


@pytest.fixture
def request_(clock) -> PlanRequest:
    hour = 3_600_000
    return PlanRequest(
        site="tx1",
        node="n1",
        valid_from_ms=clock.ms,
        valid_until_ms=clock.ms + 2 * hour,
        intervals=((clock.ms, 400_000), (clock.ms + hour, None)),
        shed_order=("m-1", "m-2"),
        fallback_cap_w=100_000,
    )


async def test_a_plan_is_signed_counted_and_sent_after_the_commands_before_it(door, request_: PlanRequest) -> None:
    await door.order("m-1")
    plan_id = await door.service.issue_plan(request_, actor=ANN)
    await door.dispatcher.deliver_due()
    [plan] = door.opened_plans()
    [(command, _)] = door.opened()
    assert (plan.plan_id, plan.intervals, plan.fallback_cap_w) == (plan_id, request_.intervals, 100_000)
    assert plan.counter > command.counter
    events = await door.journal.stream("plan/tx1/n1")
    assert [event.name for event in events] == ["PlanIssued", "PlanSent"]


async def test_a_plan_that_came_too_late_is_not_sent(door, request_: PlanRequest) -> None:
    await door.service.issue_plan(request_, actor=ANN)
    door.clock.ms = request_.valid_until_ms + 1
    await door.dispatcher.deliver_due()
    assert door.opened_plans() == []
    assert (await door.journal.stream("plan/tx1/n1"))[-1].name == "PlanUndelivered"


@pytest.mark.parametrize(
    "change",
    [
        {"valid_until_ms": 5},
        {"intervals": ()},
        {"intervals": ((5, 1), (5, 2))},
        {"intervals": ((2_000_000_000_000, 1),)},
        {"fallback_cap_w": -1},
        {"shed_order": ("m-999",)},
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(door, request_: PlanRequest, change: dict) -> None:
    assert await door.refused(door.service.issue_plan(replace(request_, **change), actor=ANN)) == "plan.invalid"


async def test_the_counter_of_a_plan_survives_a_restart(door, request_: PlanRequest) -> None:
    await door.service.issue_plan(request_, actor=ANN)
    journal = Journal(door.store, door.clock)
    service = CommandService(journal, door.fleet, door.keys, door.clock)
    await CommandKeeper(journal, service, door.store, door.clock).restore()
    assert service.board.counters.dump() == door.service.board.counters.dump()


async def test_an_order_of_shedding_is_written_once_and_told_by_its_digest_afterwards(
    door, request_: PlanRequest
) -> None:
    """Of ten thousand miners it is two hundred kilobytes, and the journal is kept for ever."""
    for shed_order in (("m-1", "m-2"), ("m-1", "m-2"), ("m-2", "m-1")):
        await door.service.issue_plan(replace(request_, shed_order=shed_order), actor=ANN)
    again = CommandService(door.journal, door.fleet, door.keys, door.clock)
    await again.issue_plan(replace(request_, shed_order=("m-2", "m-1")), actor=ANN)  # it does not know what was written
    await door.dispatcher.deliver_due()
    assert [plan.shed_order for plan in door.opened_plans()][:2] == [("m-1", "m-2")] * 2
    written = [codec.decode(event) for event in await door.journal.stream("plan/tx1/n1")]
    plans = [fact for fact in written if isinstance(fact, PlanIssued)]
    assert [plan.shed_order for plan in plans] == [("m-1", "m-2"), (), ("m-2", "m-1"), ("m-2", "m-1")]
    assert plans[0].shed_sha256 == plans[1].shed_sha256 != plans[2].shed_sha256 == plans[3].shed_sha256
