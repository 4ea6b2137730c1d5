"""Dispatch of the small site as a table of cycles: what is ordered, what is awaited, what is left alone."""

import asyncio

import pytest

from controller.mining.dispatch import service as dispatch_service
from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.decision import DecisionUnsound
from controller.mining.dispatch.explain import Reason
from controller.mining.dispatch.formulate import Policy
from controller.mining.dispatch.pending import Patience
from controller.mining.dispatch.problem import Lock
from controller.mining.dispatch.stage import Pace
from shared.actions import SetPowerLimit, Sleep, SwitchOutlet, Wake
from shared.errors import StorageUnavailable
from shared.states import OpState
from tests.controller.mining.conftest import MINERS, PDU, Machine, outlets, record, small_site
from tests.controller.mining.dispatch.conftest import service_of

BREAK_EVEN_ABOVE_USD_MWH = 200.0


async def test_at_a_good_price_nothing_changes_and_the_decision_is_kept(world) -> None:
    cycle = await service_of(world).cycle("price")
    assert world.issued == []
    assert world.recorded == [cycle]
    assert cycle.decision.certificate.holds
    assert (cycle.explanation.reason == Reason.BEST).all()
    assert cycle.infeasible == {}
    assert cycle.snapshot.snapshot_id.startswith("tx1-")


async def test_a_dear_price_sends_all_to_sleep_once_and_a_cheap_one_wakes_them(world) -> None:
    service = service_of(world)
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    await service.cycle("price")
    assert {type(action) for _, action, _ in world.issued[0]} == {Sleep}
    assert [state for _, _, state in world.issued[0]] == [OpState.HASHING] * 8
    await service.cycle("price")
    assert len(world.issued) == 1  # nobody has confirmed yet, so nothing is ordered twice
    world.obey(world.issued[0])
    world.node.report()
    await service.cycle("telemetry")
    assert len(service.pending) == 0
    world.price_usd_mwh = 20.0
    world.node.report()
    cycle = await service.cycle("price")
    assert cycle.issued == 8
    first, second = world.issued[1][:2]
    assert isinstance(first[1], Wake)  # the limit that is wanted is set already
    assert first[2] == OpState.SLEEPING
    assert second[0] != first[0]


async def test_a_cap_is_kept_with_downs_first_and_ups_wait_for_their_room(world) -> None:
    service = service_of(world, pace=Pace(wave_miners=2), policy=Policy(headroom_pct=0.0, switch_usd=0.001))
    world.caps = {"site": 15_000}
    down = await service.cycle("curtailment")
    assert down.decision.certificate.load_w[0] <= 15_000
    assert not down.transition.waves
    world.obey(world.issued[0])
    world.node.report()
    world.caps = {}
    up = await service.cycle("curtailment")
    assert up.issued == 2  # the first wave only
    assert len(up.transition.waves) > 1
    world.obey(world.issued[1])
    for _ in range(6):
        world.node.report()
        await service.cycle("telemetry")
        world.obey(world.issued[-1])
    assert all(machine.power_w == 3_200.0 for machine in world.node.machines.values())


async def test_a_gain_smaller_than_the_cost_of_switching_changes_nothing(world) -> None:
    for machine in world.node.machines.values():
        machine.limit_w = machine.power_w = 2_600.0  # the last step would earn 0.0105 USD/h
    world.node.report()
    await service_of(world, policy=Policy(headroom_pct=0.0, switch_usd=0.012)).cycle("price")
    assert world.issued == []
    await service_of(world, policy=Policy(headroom_pct=0.0, switch_usd=0.009)).cycle("price")
    assert len(world.issued[0]) == 8


async def test_the_cap_of_a_container_touches_only_its_miners(world) -> None:
    world.caps = {"c2": 6_000}
    await service_of(world).cycle("limit")
    assert {device for device, _, _ in world.issued[0]} <= set(MINERS[4:])


async def test_blind_nothing_is_changed_for_profit_but_limits_are_kept(world) -> None:
    service = service_of(world)
    world.node.silent |= set(MINERS[:5])
    world.node.report(after_ms=61_000)
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service.cycle("price")
    assert cycle.held == "only 3 of 8 miners report"
    assert world.issued == []
    world.caps = {"site": 25_000}
    await service.cycle("curtailment")
    assert world.issued
    assert all(isinstance(action, Sleep | SetPowerLimit) for _, action, _ in world.issued[0])


async def test_a_price_that_has_run_out_holds_everything(world) -> None:
    world.until_ms = 5
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service_of(world).cycle("price")
    assert cycle.held == "the energy price has run out"
    assert world.issued == []


NO_PRICE_USD_MWH = -10_000.0  # the world's feed then has none


async def test_without_any_price_nothing_is_ordered_within_the_limits(world) -> None:
    world.price_usd_mwh = NO_PRICE_USD_MWH
    cycle = await service_of(world).cycle("telemetry")
    assert cycle.held == "no price"
    assert cycle.quote is None
    assert world.issued == []
    assert "USD" not in "".join(cycle.explanation.sentence(miner) for miner in range(len(cycle.problem)))


@pytest.mark.parametrize("until_ms", [0, 5])
async def test_without_a_price_that_holds_limits_and_curtailments_are_still_kept(world, until_ms: int) -> None:
    """No feed at all, or a file that has ended."""
    world.until_ms, world.price_usd_mwh = until_ms, 20.0 if until_ms else NO_PRICE_USD_MWH
    world.caps = {"site": 20_000}
    cycle = await service_of(world).cycle("curtailment")
    assert cycle.decision.certificate.load_w[0] <= 20_000
    assert world.issued
    assert "USD" not in cycle.explanation.feeder_sentence(0)


async def test_without_a_price_what_was_shed_comes_back_when_the_curtailment_ends_and_nothing_else(world) -> None:
    world.price_usd_mwh = NO_PRICE_USD_MWH
    asleep = world.node.machines[MINERS[0]]
    asleep.state, asleep.power_w, asleep.hashrate_ths = OpState.SLEEPING, 25.0, 0.0  # before, and not by us
    world.node.report()
    service = service_of(world, policy=Policy(headroom_pct=0.0, switch_usd=0.001))
    world.caps = {"site": 15_000}
    await service.cycle("curtailment")
    world.obey(world.issued[0])
    world.node.report()
    world.caps = {}
    for _ in range(3):
        await service.cycle("curtailment")
        world.obey(world.issued[-1])
        world.node.report(31_000)
    assert asleep.state is OpState.SLEEPING
    assert all(world.node.machines[device].power_w == 3_200.0 for device in MINERS[1:])


async def test_what_cannot_be_kept_is_named_and_the_least_violating_decision_is_ordered(world) -> None:
    world.caps = {"site": 900}
    cycle = await service_of(world).cycle("curtailment")
    assert cycle.infeasible == {"site": 8 * 25 + 1_000 - 900}
    assert len(world.issued[0]) == 8


async def test_a_miner_that_disobeys_counts_as_it_draws_and_is_left_alone(world) -> None:
    service = service_of(world, patience=Patience(confirm_s=10, dwell_s=0, disobeyed_s=600))
    world.caps = {"site": 20_000}
    await service.cycle("curtailment")
    stubborn = world.issued[0][0][0]
    world.obey(world.issued[0][1:])
    world.node.report(after_ms=11_000)
    cycle = await service.cycle("telemetry")
    assert service.pending.bonds(frozenset()).disobeyed == {stubborn}
    row = cycle.snapshot.roster.row[stubborn]
    assert cycle.problem.lock[row] == Lock.DWELL
    assert cycle.problem.locked_w[row] == 3_200
    assert cycle.decision.certificate.load_w[0] <= 20_000


async def test_a_changed_miner_rests_unless_a_limit_needs_it(world) -> None:
    service = service_of(world, patience=Patience(dwell_s=900))
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    await service.cycle("price")
    world.obey(world.issued[0])
    world.node.report()
    world.price_usd_mwh = 20.0
    rested = await service.cycle("price")
    assert (rested.problem.lock == Lock.DWELL).all()
    assert len(world.issued) == 1
    world.node.report(after_ms=901_000)
    await service.cycle("price")
    assert len(world.issued) == 2
    world.obey(world.issued[1])
    world.node.report()
    await service.cycle("telemetry")
    world.caps = {"site": 10_000}
    forced = await service.cycle("curtailment")
    assert forced.issued > 0


async def test_a_person_holds_a_miner_until_it_is_released(world) -> None:
    service = service_of(world)
    world.operated = frozenset(MINERS[:1])
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service.cycle("price")
    assert MINERS[0] not in {device for device, _, _ in world.issued[0]}
    assert "a person holds it" in cycle.explanation.sentence(cycle.snapshot.roster.row[MINERS[0]])
    world.obey(world.issued[0])
    world.node.report()
    world.operated = frozenset()
    await service.cycle("operator")
    assert [device for device, _, _ in world.issued[1]] == [MINERS[0]]


async def test_a_miner_that_a_person_takes_while_dispatch_decides_is_not_ordered(world, monkeypatch) -> None:
    service = service_of(world)
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    plan = service._plan

    def taken_meanwhile(*given):
        decided = plan(*given)
        world.operated = frozenset(MINERS[:2])
        return decided

    monkeypatch.setattr(service, "_plan", taken_meanwhile)
    cycle = await service.cycle("price")
    assert {device for device, _, _ in world.issued[0]} == set(MINERS[2:])
    assert cycle.issued == 6
    assert len(service.pending) == 6


async def test_a_held_miner_counts_under_a_limit_with_what_it_draws(world) -> None:
    world.operated = frozenset(MINERS[:2])
    world.caps = {"site": 15_000}
    cycle = await service_of(world).cycle("curtailment")
    assert not world.operated & {device for device, _, _ in world.issued[0]}
    assert cycle.decision.certificate.load_w[0] <= 15_000
    assert (cycle.problem.locked_w[~cycle.problem.free] == 3_200).all()


async def test_a_miner_without_sleep_is_idled_by_its_outlet_and_others_are_left(world) -> None:
    bare = ("set_pools", "restart")
    world.node.twin.configure(small_site(), [record(MINERS[6], bare), record(MINERS[0], bare), PDU])
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service_of(world).cycle("price")
    assert world.issued[1] == (("pdu-1", SwitchOutlet(outlet=1, on=False), None),)
    assert MINERS[0] not in {device for device, _, _ in world.issued[0]}
    assert cycle.problem.lock[cycle.snapshot.roster.row[MINERS[0]]] == Lock.NO_VERB


async def test_two_outlets_of_one_pdu_go_out_one_after_the_other_and_come_back(world) -> None:
    bare = ("set_pools", "restart")
    world.node.twin.configure(small_site(), [record(MINERS[6], bare), record(MINERS[7], bare), PDU])
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    service = service_of(world, patience=Patience(dwell_s=0.0, settle_s=0.0))
    await service.cycle("price")
    assert [len(batch) for batch in world.issued] == [6, 1, 1]
    world.obey(world.issued[0])
    world.node.silent |= {MINERS[6], MINERS[7]}
    world.node.report(after_ms=61_000)
    world.node.twin.apply("tx1", "edge-1", outlets(world.node.clock.now, (0, 0), (None, None)))
    idle = await service.cycle("telemetry")
    assert len(service.pending) == 0
    assert idle.problem.free.all()
    world.price_usd_mwh = 20.0
    await service.cycle("price")
    assert [action for batch in world.issued[4:] for _, action, _ in batch] == [
        SwitchOutlet(outlet=1, on=True),
        SwitchOutlet(outlet=2, on=True),
    ]


async def test_a_refusal_of_the_power_door_leaves_those_miners_alone_and_the_others_pass(world) -> None:
    world.node.twin.configure(small_site(), [record(MINERS[6], ("restart",)), PDU])
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    world.refuses = SwitchOutlet
    service = service_of(world)
    cycle = await service.cycle("price")
    assert cycle.refusals == ("command.program-verb: outlets are ordered by people only",)
    assert cycle.issued == 7
    assert service.pending.bonds(frozenset()).disobeyed == {MINERS[6]}
    world.obey(world.issued[0])
    world.node.report()
    again = await service.cycle("telemetry")
    assert again.refusals == ()
    assert again.problem.lock[again.snapshot.roster.row[MINERS[6]]] == Lock.DWELL


async def test_the_limit_is_set_before_a_miner_wakes(world) -> None:
    for machine in world.node.machines.values():
        machine.state, machine.power_w, machine.hashrate_ths, machine.limit_w = OpState.SLEEPING, 25.0, 0.0, 2_000.0
    world.node.report()
    await service_of(world).cycle("price")
    first, second = world.issued[0][:2]
    assert isinstance(first[1], SetPowerLimit)
    assert isinstance(second[1], Wake)
    assert first[0] == second[0]


async def test_a_miner_that_knows_only_sleep_and_wake_has_two_modes(world) -> None:
    world.node.twin.configure(small_site(), [record(MINERS[2], ("sleep", "wake"))])
    world.caps = {"b1": 4_000}
    cycle = await service_of(world).cycle("limit")
    row = cycle.snapshot.roster.row[MINERS[2]]
    assert cycle.problem.power_w[:, row].tolist()[:2] == [25, 3_200]
    assert all(not isinstance(action, SetPowerLimit) for device, action, _ in world.issued[0] if device == MINERS[2])


async def test_a_meter_that_shows_more_than_the_model_takes_room_away(world) -> None:
    world.node.meter_w = {"meter-c1": 13_900.0}
    world.node.report()
    cycle = await service_of(world).cycle("telemetry")
    c1 = cycle.problem.tree.index["c1"]
    assert cycle.problem.reserved_w[c1] == 1_100
    assert cycle.decision.certificate.load_w[c1] == 13_900


async def test_a_meter_that_lags_behind_a_shed_does_not_cause_a_second_one(world) -> None:
    """Miners confirm within a second, meters are read every few: what they still show is no hidden load."""
    service = service_of(world)
    world.caps = {"site": 15_000}
    await service.cycle("curtailment")
    before_w = {"main": 26_600.0, "meter-c1": 12_800.0}
    world.obey(world.issued[0])
    world.node.meter_w = dict(before_w)
    for _ in range(5):
        world.node.report()
        await service.cycle("telemetry")
    assert len(world.issued) == 1
    world.node.report(after_ms=31_000)
    await service.cycle("telemetry")
    assert len(world.issued) == 2  # half a minute later it is one


async def test_an_outlet_that_lags_behind_its_miner_does_not_cause_a_second_shed(world) -> None:
    """The miner sleeps; its outlet's watts are a few seconds older and would count in its place."""
    service = service_of(world)
    world.caps = {"site": 15_000}
    await service.cycle("curtailment")
    world.obey(world.issued[0])
    for device, _, _ in world.issued[0]:
        world.node.machines[device].power_w = 3_000.0
    world.node.report()
    await service.cycle("telemetry")
    await service.cycle("telemetry")
    assert len(world.issued) == 1


async def test_an_order_under_way_is_not_given_to_others_as_well(world) -> None:
    service = service_of(world)
    world.caps = {"site": 15_000}
    await service.cycle("curtailment")
    for _ in range(3):
        world.node.report()
        await service.cycle("telemetry")
    assert len(world.issued) == 1


async def test_a_decision_that_its_audit_contradicts_is_told_and_orders_nothing(world, monkeypatch) -> None:
    def contradicted(*_given, **_options):
        raise DecisionUnsound("feeder site carries 1 W too much")

    monkeypatch.setattr(dispatch_service, "decide", contradicted)
    world.caps = {"site": 15_000}
    with pytest.raises(DecisionUnsound):
        await service_of(world).cycle("curtailment")
    assert world.problems == ["feeder site carries 1 W too much"]
    assert (world.issued, world.recorded) == ([], [])


async def test_a_gap_that_one_machine_explains_is_none(world) -> None:
    """Eight machines under one limit: the bound runs a share of one of them, which nobody can."""
    world.caps = {"site": 15_000}
    small = await service_of(world, gap_alarm_pct=0.0).cycle("curtailment")
    assert small.decision.certificate.gap_pct > 0
    assert not small.gap_too_wide


async def test_advice_without_orders(world) -> None:
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service_of(world, automatic=False).cycle("price")
    assert cycle.transition.downs.size == 8
    assert cycle.issued == 0
    assert world.issued == []


async def test_the_loop_runs_on_notice_survives_a_failing_cycle_and_lets_urgent_pass(world, monkeypatch) -> None:
    service = service_of(world, min_interval_s=30.0)
    take, failed = world.snapshot, asyncio.Event()

    def fail(_site: str) -> None:
        failed.set()
        raise StorageUnavailable("no snapshot")

    decided = asyncio.Event()
    keep = world.record

    async def record(cycle: Cycle) -> None:
        await keep(cycle)
        decided.set()

    monkeypatch.setattr(world, "record", record)
    loop = asyncio.create_task(service.run())
    monkeypatch.setattr(world, "snapshot", fail)
    service.notify("price")
    await asyncio.wait_for(failed.wait(), 5)
    monkeypatch.setattr(world, "snapshot", take)
    service.notify("limit", urgent=True)
    await asyncio.wait_for(decided.wait(), 5)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert "limit" in world.recorded[0].trigger
    assert service.last is world.recorded[0]


async def test_a_starting_miner_counts_at_its_target_and_is_not_ordered(world) -> None:
    world.node.machines[MINERS[3]] = Machine(state=OpState.STARTING, power_w=300.0, limit_w=3_200.0, hashrate_ths=0.0)
    world.node.report()
    world.price_usd_mwh = BREAK_EVEN_ABOVE_USD_MWH
    cycle = await service_of(world).cycle("price")
    row = cycle.snapshot.roster.row[MINERS[3]]
    assert cycle.problem.lock[row] == Lock.UNSETTLED
    assert cycle.problem.locked_w[row] == 3_200
    assert MINERS[3] not in {device for device, _, _ in world.issued[0]}
