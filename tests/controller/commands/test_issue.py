import asyncio

import pytest

from controller.commands import Actor, AuthorityPolicy, Origin
from controller.journal import NewEvent
from shared.actions import (
    Locate,
    Pool,
    ReadNow,
    Reboot,
    SetPools,
    SetPowerLimit,
    SetPowerMode,
    Sleep,
    SwitchOutlet,
    Wake,
)
from shared.crypto.keys import key_id
from shared.errors import Conflict

ANN, BOB = Actor("ann", "session-a"), Actor("bob", "session-b")
DISPATCH = Actor("dispatch", origin=Origin.DISPATCH)
ROBOT = Actor("program robot", "token-1", Origin.PROGRAM, sponsor="ann")
POOLS = SetPools((Pool("stratum+tcp://pool.example:3333", "us.er"),))


async def test_a_command_is_durable_signed_counted_and_sent_once(door) -> None:
    handle = await door.order("m-1", "m-2", "m-150")
    assert (handle.status, handle.devices, handle.nodes) == ("running", 3, ("n1", "n2"))
    assert await door.states(handle.command_id) == dict.fromkeys(("m-1", "m-2", "m-150"), "issued")
    await door.dispatcher.deliver_due()
    await door.dispatcher.deliver_due()
    (first, signed_by), (second, _) = door.opened()
    assert (first.node, [order.device_id for order in first.orders]) == ("n1", ["m-1", "m-2"])
    assert (second.node, [order.device_id for order in second.orders]) == ("n2", ["m-150"])
    assert first.command_id != second.command_id
    assert first.expires_at_ms - first.issued_at_ms == 60_000
    assert signed_by == (key_id(door.keys.command.verify_key),)
    assert set((await door.states(handle.command_id)).values()) == {"sent"}


async def test_the_expected_state_and_reason_travel(door) -> None:
    await door.service.issue("tx1", [("m-1", Wake(), 4)], reason=" why ", actor=ANN, expires_in_s=30)
    await door.dispatcher.deliver_due()
    [(command, _)] = door.opened()
    assert (command.orders[0].expected_state, command.reason) == (4, "why")


async def test_counters_rise_strictly_per_node_in_the_order_of_sending(door) -> None:
    await asyncio.gather(*(door.order(f"m-{number}") for number in range(30)))
    await door.dispatcher.deliver_due()
    counters = [command.counter for command, _ in door.opened()]
    assert len(counters) == 30
    assert counters == sorted(set(counters))


async def test_a_broker_that_is_away_gets_everything_later_in_order(door) -> None:
    door.broker.down = True
    await door.order("m-1")
    await door.dispatcher.deliver_due()
    await door.order("m-2")
    door.broker.down = False
    door.clock.ms += 1_000
    await door.dispatcher.deliver_due()
    assert [command.orders[0].device_id for command, _ in door.opened()] == ["m-1", "m-2"]


MANY = tuple(f"m-{number}" for number in range(51))
REFUSED = {
    "command.empty": ((), {}),
    "command.reason-missing": (("m-1",), {"reason": "  "}),
    "command.bad-expiry": (("m-1",), {"expires_in_s": 4.0}),
    "command.duplicate-order": (("m-1", "m-1"), {}),
    "command.unknown-device": (("m-1", "m-999"), {}),
    "command.unsupported-verb": (("m-dumb",), {}),
    "command.limit-out-of-range": (("m-1",), {"action": SetPowerLimit(4_000)}),
    "command.unknown-mode": (("m-1",), {"action": SetPowerMode("turbo")}),
    "command.bad-pools": (("m-1",), {"action": SetPools(())}),
    "command.pool-not-allowed": (("m-1",), {"action": SetPools((Pool("stratum+tcp://evil.example:1", "u"),))}),
    "command.bad-outlet": (("p-1",), {"action": SwitchOutlet(0, True)}),
    "command.program-verb": (("m-1",), {"action": POOLS, "actor": DISPATCH}),
    "command.not-confirmed": (MANY, {"typed": "50"}),
    "command.second-person-same": (("m-1",), {"action": POOLS, "second_actor": Actor("ann", "session-c")}),
    "command.second-person-program": (("m-1",), {"action": POOLS, "second_actor": DISPATCH}),
}


@pytest.mark.parametrize(("rule", "case"), REFUSED.items(), ids=REFUSED)
async def test_what_the_door_refuses_is_written_down_and_not_sent(door, rule: str, case) -> None:
    device_ids, options = case
    assert await door.refused(door.order(*device_ids, **options)) == rule
    assert await door.dispatcher.deliver_due() == 0
    [denied] = await door.journal.stream("command-denied")
    assert rule in denied.data.decode()


async def test_other_ways_to_be_refused(door) -> None:
    service = door.service
    unknown_site = service.issue("mars", [("m-1", Sleep(), None)], reason="x", actor=ANN, expires_in_s=60)
    assert await door.refused(unknown_site) == "command.unknown-site"
    too_many = [("m-1", Sleep(), None)] * 20_001
    assert (
        await door.refused(service.issue("tx1", too_many, reason="x", actor=ANN, expires_in_s=60))
        == "command.too-many-orders"
    )
    assert await door.refused(door.order("m-plain", action=SetPowerLimit(0))) == "command.limit-out-of-range"
    for pool in (Pool("http://pool.example:1", "u"), Pool("stratum+tcp://pool.example:1", "")):
        assert await door.refused(door.order("m-1", action=SetPools((pool,)))) == "command.bad-pools"
    long = Pool("stratum+tcp://pool.example:1", "u" * 300)
    assert await door.refused(door.order("m-1", action=SetPools((long,)))) == "command.bad-pools"
    assert await door.refused(service.view("c-none")) == "command.unknown-command"
    assert await door.refused(service.settled("c-none")) == "command.unknown-command"
    assert await door.refused(service.approve("c-none", BOB)) == "command.unknown-command"
    assert await door.refused(service.retry("c-none", actor=ANN)) == "command.unknown-command"


async def test_devices_without_a_known_ladder_take_any_positive_limit(door) -> None:
    assert (await door.order("m-plain", action=SetPowerLimit(1))).reach.assumed_devices == 1


@pytest.mark.parametrize(
    ("count", "action", "expected"),
    [
        (1, Sleep(), "click"),
        (1, Reboot(), "dialog"),
        (2, Sleep(), "dialog"),
        (50, Sleep(), "dialog"),
        (51, Sleep(), "typed"),
        (51, ReadNow(), "typed"),
        (1, POOLS, "second-person"),
        (1, Locate(True), "click"),
    ],
)
async def test_reach_decides_how_much_a_person_must_do(door, count: int, action, expected: str) -> None:
    handle = await door.order(*(f"m-{n}" for n in range(count)), action=action, dry_run=True)
    assert handle.confirmation == expected


@pytest.mark.parametrize("typed", ["", "50", "510", "51 miners", "5 2"])
async def test_a_large_order_goes_out_only_with_what_its_preview_named(door, typed: str) -> None:
    preview = await door.order(*MANY, dry_run=True)
    assert preview.confirm == "51"
    wrong = door.service.issue_preview(preview.command_id, actor=ANN, typed=typed)
    assert await door.refused(wrong) == "command.not-confirmed"
    assert await door.dispatcher.deliver_due() == 0
    preview = await door.order(*MANY, dry_run=True)
    issued = await door.service.issue_preview(preview.command_id, actor=ANN, typed=" 51 ")
    assert (issued.status, issued.devices) == ("running", 51)


async def test_nothing_is_typed_for_small_orders_nor_by_dispatch(door) -> None:
    small = await door.order(*MANY[:50], dry_run=True)
    assert (small.confirmation, small.confirm) == ("dialog", "")
    assert (await door.order(*MANY[:50], typed="")).status == "running"
    assert (await door.order(*MANY, actor=DISPATCH, typed="")).status == "running"


async def test_a_preview_shows_what_is_left_out_and_sends_nothing(door) -> None:
    preview = await door.order("m-1", "m-dumb", "m-999", dry_run=True)
    assert (preview.status, preview.devices, preview.reach.power_w) == ("preview", 1, 3500)
    assert [(e.device_id, str(e.rule)) for e in preview.excluded] == [
        ("m-dumb", "command.unsupported-verb"),
        ("m-999", "command.unknown-device"),
    ]
    assert await door.dispatcher.deliver_due() == 0
    handle = await door.service.issue_preview(preview.command_id, actor=ANN)
    assert (handle.status, handle.devices) == ("running", 1)
    again = door.service.issue_preview(preview.command_id, actor=ANN)
    assert await door.refused(again) == "command.expired-preview"


async def test_a_preview_lasts_a_minute(door) -> None:
    preview = await door.order("m-1", dry_run=True)
    door.clock.ms = preview.valid_until_ms + 1
    assert await door.refused(door.service.issue_preview(preview.command_id, actor=ANN)) == "command.expired-preview"


async def test_dispatch_orders_power_without_a_click_and_without_a_second_person(door) -> None:
    handle = await door.order(*(f"m-{n}" for n in range(150)), actor=DISPATCH)
    assert (handle.status, handle.confirmation) == ("running", "click")
    assert (await door.service.view(handle.command_id)).summary.origin is Origin.DISPATCH


async def test_a_token_confirms_what_a_person_has_to_confirm(door) -> None:
    assert await door.refused(door.order(*MANY, actor=ROBOT, typed="")) == "command.not-confirmed"
    handle = await door.order(*MANY, actor=ROBOT)
    assert (handle.status, handle.confirmation) == ("running", "typed")
    assert (await door.service.view(handle.command_id)).summary.origin is Origin.PROGRAM


class TestTwoPeople:
    async def test_high_risk_waits_for_a_second_person_and_bears_both_signatures(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        assert (handle.status, handle.confirmation) == ("pending", "second-person")
        assert await door.dispatcher.deliver_due() == 0
        assert await door.states(handle.command_id) == {"m-1": "pending"}
        approved = await door.service.approve(handle.command_id, BOB)
        assert approved.status == "running"
        await door.dispatcher.deliver_due()
        [(command, signed_by)] = door.opened()
        assert command.orders[0].action == POOLS
        assert set(signed_by) == set(door.trusted())
        summary = (await door.service.view(handle.command_id)).summary
        assert (summary.actor, summary.approved_by) == ("ann", "bob")

    async def test_two_people_together_need_not_wait(self, door) -> None:
        handle = await door.order("m-1", action=POOLS, second_actor=BOB)
        assert handle.status == "running"
        await door.dispatcher.deliver_due()
        assert len(door.opened()[0][1]) == 2
        assert (await door.service.view(handle.command_id)).summary.approved_by == "bob"

    async def test_the_initiator_the_same_session_and_programs_cannot_approve(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        approve = door.service.approve
        assert await door.refused(approve(handle.command_id, Actor("ann", "other"))) == "command.second-person-same"
        same_session = Actor("bob", "session-a")
        assert await door.refused(approve(handle.command_id, same_session)) == "command.second-person-same"
        assert await door.refused(approve(handle.command_id, DISPATCH)) == "command.second-person-program"

    @pytest.mark.parametrize("policy", [AuthorityPolicy(second_person_power_w=500_000)])
    @pytest.mark.parametrize("actor", [ANN, ROBOT], ids=["by hand", "by token"])
    async def test_150_miners_wait_for_a_second_person_whoever_asks(self, door, actor: Actor) -> None:
        handle = await door.order(*(f"m-{n}" for n in range(150)), actor=actor)
        assert (handle.status, handle.confirmation) == ("pending", "second-person")
        assert await door.dispatcher.deliver_due() == 0
        assert (await door.service.approve(handle.command_id, BOB)).status == "running"

    @pytest.mark.parametrize("policy", [AuthorityPolicy(second_person_power_w=500_000)])
    async def test_whoever_made_the_token_cannot_approve_what_it_asked_for(self, door) -> None:
        devices = tuple(f"m-{n}" for n in range(150))
        together = door.order(*devices, actor=ROBOT, second_actor=ANN)
        assert await door.refused(together) == "command.second-person-same"
        handle = await door.order(*devices, actor=ROBOT)
        assert await door.refused(door.service.approve(handle.command_id, ANN)) == "command.second-person-same"
        other = Actor("program other", "token-2", Origin.PROGRAM, sponsor="bob")
        assert await door.refused(door.service.approve(handle.command_id, other)) == "command.second-person-program"
        assert await door.dispatcher.deliver_due() == 0

    async def test_nobody_in_ten_minutes_ends_it(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        door.clock.ms += 600_001
        late = door.service.approve(handle.command_id, BOB)
        assert await door.refused(late) == "command.second-person-missing"
        assert await door.keeper.end_overdue() == 1
        summary = (await door.service.view(handle.command_id)).summary
        assert (summary.status, summary.rule) == ("refused", "command.second-person-missing")
        assert await door.states(handle.command_id) == {"m-1": "refused"}

    async def test_a_rejected_command_never_leaves(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        reject = door.service.reject
        assert await door.refused(reject(handle.command_id, BOB, " ")) == "command.reason-missing"
        await reject(handle.command_id, BOB, "wrong pool")
        assert await door.refused(door.service.approve(handle.command_id, BOB)) == "command.not-pending"
        [cause] = (await door.service.view(handle.command_id)).not_as_ordered
        assert (cause.rule, cause.detail) == ("command.rejected", "wrong pool")

    async def test_only_one_of_two_approvers_sends_it(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        approve = door.service.approve
        results = await asyncio.gather(
            approve(handle.command_id, BOB), approve(handle.command_id, Actor("eve", "e")), return_exceptions=True
        )
        assert [type(result) for result in results].count(Conflict) == 1
        await door.dispatcher.deliver_due()
        assert len(door.broker.commands) == 1

    async def test_it_is_checked_again_when_it_is_approved(self, door) -> None:
        handle = await door.order("m-1", action=POOLS)
        del door.fleet.devices["m-1"]
        assert await door.refused(door.service.approve(handle.command_id, BOB)) == "command.unknown-device"

    @pytest.mark.parametrize("policy", [AuthorityPolicy(second_person_power_w=6_999)])
    async def test_above_the_power_limit_a_second_person_is_needed(self, door) -> None:
        assert (await door.order("m-1")).status == "running"
        assert (await door.order("m-1", "m-2")).status == "pending"

    async def test_programs_wait_for_nobody(self, door) -> None:
        assert (await door.order("m-1", actor=DISPATCH)).status == "running"


async def test_foreign_events_in_the_journal_do_not_disturb_the_board(door) -> None:
    await door.journal.append("command/odd", [NewEvent("Unheard", b"{}", "x")])
    assert door.service.board.listed("tx1") == []


async def test_a_nominal_draw_bounds_a_limit_from_above_only(door) -> None:
    assert (await door.order("m-nominal", action=SetPowerLimit(3_000))).devices == 1
    for limit_w in (0, 3_501):
        refused = door.order("m-nominal", action=SetPowerLimit(limit_w))
        assert await door.refused(refused) == "command.limit-out-of-range"
