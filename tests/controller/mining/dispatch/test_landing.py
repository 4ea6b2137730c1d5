"""Curtailments judged by the meter from both sides, where machines and losses are not what curves say."""

from dataclasses import dataclass

import pytest

from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.pending import Patience
from controller.mining.dispatch.problem import Lock
from controller.mining.dispatch.service import DispatchService
from controller.mining.dispatch.stage import Pace
from shared.actions import SetPowerLimit, Sleep, Wake
from shared.states import OpState
from tests.controller.mining.conftest import MINERS, record
from tests.controller.mining.dispatch.conftest import World, service_of

ON_OFF = ("sleep", "wake")
THIRST = 1.04  # of the curve: what these machines really draw
SETTLED_MS = 31_000
TARGET_W = 15_000


@dataclass
class Plant:
    """The small site with thirsty machines and losses before its meter; every order is carried out at once."""

    world: World
    service: DispatchService
    other_w: float = 1_000.0
    obeyed: int = 0

    @property
    def metered_w(self) -> float:
        drawn_w = sum(machine.power_w or 0.0 for machine in self.world.node.machines.values()) + self.other_w
        return drawn_w + 0.3 * 540 + 0.7 * 540 * (drawn_w / 27_000) ** 2

    @property
    def asleep(self) -> int:
        return sum(machine.state is OpState.SLEEPING for machine in self.world.node.machines.values())

    @property
    def orders(self) -> int:
        return len(self.world.issued)

    async def cycle(self, after_ms: int = 1_000) -> Cycle:
        self.world.node.meter_w = {"main": self.metered_w, "meter-c1": None}
        self.world.node.report(after_ms)
        return await self.service.cycle("telemetry")

    async def rest(self) -> Cycle:
        """Obey what was ordered, let it be confirmed, and wait until meters are believed again."""
        for orders in self.world.issued[self.obeyed :]:
            self.world.obey(orders)
        self.obeyed = self.orders
        for machine in self.world.node.machines.values():
            if machine.state is OpState.HASHING:
                machine.power_w = (machine.limit_w or 0.0) * THIRST
        await self.cycle()
        return await self.cycle(SETTLED_MS)

    def wake_by_themselves(self, *devices: str) -> None:
        for device in devices:
            machine = self.world.node.machines[device]
            machine.state, machine.power_w, machine.hashrate_ths = OpState.HASHING, 3_200.0 * THIRST, 110.0


@pytest.fixture
async def plant(world) -> Plant:
    """All run at the top; the meter has been seen at rest."""
    world.node.twin.configure(world.node.twin.snapshot("tx1").site, [record(device, ON_OFF) for device in MINERS])
    at_work = Plant(world, service_of(world, patience=Patience()))
    for machine in world.node.machines.values():
        machine.power_w = 3_200.0 * THIRST
    await at_work.cycle()
    assert world.issued == []
    return at_work


async def test_the_first_order_lands_within_one_miner_though_curves_and_losses_err(plant) -> None:
    plant.world.caps = {"site": TARGET_W}
    cycle = await plant.cycle()
    assert cycle.landings[0].expected_w == pytest.approx(plant.metered_w, rel=1e-4)  # before anything was ordered
    promised_w = plant.service.anchors.meter_w(0, int(cycle.decision.certificate.load_w[0]))
    await plant.rest()
    assert promised_w == pytest.approx(plant.metered_w, rel=0.002)
    assert TARGET_W - 3_200 * THIRST < plant.metered_w <= TARGET_W
    assert plant.orders == 1


async def test_silent_miners_that_the_meter_shows_not_to_draw_cost_nobody_his_place(plant) -> None:
    for device in MINERS[:2]:
        plant.world.node.machines[device].power_w = 0.0
        plant.world.node.silent.add(device)
    await plant.cycle(61_000)
    before_w = plant.metered_w
    plant.world.caps = {"site": round(before_w) - 7_000}
    await plant.cycle()
    assert len(plant.world.issued[0]) == 3  # of 3,328 W each; by their worst case, two more would have been shed


async def test_headroom_of_limits_is_not_taken_off_a_target(world) -> None:
    world.caps = {"site": 26_590}
    cycle = await service_of(world).cycle("curtailment")
    assert cycle.problem.cap_w[0] == pytest.approx(26_590 * 0.999, abs=1)


async def test_once_it_has_settled_the_fewest_miners_are_let_up_into_unused_room(plant) -> None:
    plant.world.caps = {"site": TARGET_W}
    await plant.cycle()
    await plant.rest()
    slept = plant.asleep
    runs = next(m for m in plant.world.node.machines.values() if m.state is OpState.HASHING)
    runs.state, runs.power_w, runs.hashrate_ths = OpState.STOPPED_FAULT, 25.0, 0.0  # by itself: room for one
    orders = plant.orders
    cycle = await plant.cycle()
    assert cycle.landings[0].short
    assert [[action for _, action, _ in batch] for batch in plant.world.issued[orders:]] == [[Wake()]]
    await plant.cycle()
    assert plant.orders == orders + 1  # nothing more while the woken one is under way
    await plant.rest()
    assert plant.asleep == slept - 1
    assert TARGET_W - 3_200 * THIRST < plant.metered_w <= TARGET_W
    assert plant.orders == orders + 1


async def test_a_miner_that_did_not_obey_is_not_woken_for_a_trim(plant) -> None:
    plant.world.caps = {"site": TARGET_W}
    await plant.cycle()
    for orders in plant.world.issued:
        plant.world.obey(orders)
    await plant.cycle()
    plant.service.pending.refused([device for device, _, _ in plant.world.issued[0]], plant.world.node.clock.now)
    plant.other_w -= 4_000.0
    cycle = await plant.cycle(SETTLED_MS)
    assert cycle.landings[0].short
    assert plant.orders == 1


async def test_room_within_the_tolerance_and_the_noise_of_the_meter_move_nobody(plant) -> None:
    plant.world.caps = {"site": TARGET_W}
    await plant.cycle()
    await plant.rest()
    plant.world.caps = {"site": round(plant.metered_w / 0.9995)}
    orders, other_w = plant.orders, plant.other_w
    for noise in (3e-4, -3e-4, 0.0, 4e-4, -4e-4):
        plant.other_w = other_w + noise * plant.metered_w
        cycle = await plant.cycle(SETTLED_MS)
        assert not cycle.landings[0].short
    assert plant.orders == orders


async def test_a_climbing_miner_is_expected_where_its_unit_stood_before(plant) -> None:
    """Its curve says 3,200 W, it drew 3,328 W: so much is coming, and nobody has to be shed when it comes."""
    machine = plant.world.node.machines[MINERS[0]]
    machine.state, machine.power_w, machine.hashrate_ths = OpState.TUNING, 500.0, 20.0
    plant.world.caps = {"site": TARGET_W}
    cycle = await plant.cycle()
    row = cycle.snapshot.roster.row[MINERS[0]]
    assert cycle.problem.locked_w[row] == 3_328


async def test_above_the_target_more_is_shed_at_once(plant) -> None:
    plant.world.caps = {"site": TARGET_W}
    await plant.cycle()
    await plant.rest()
    orders = plant.orders
    first = plant.world.issued[0][0][0]
    plant.wake_by_themselves(first)
    await plant.cycle(5_000)
    assert [action for _, action, _ in plant.world.issued[orders]] == [Sleep()]


async def test_much_room_is_filled_while_something_moves_and_the_rest_at_rest(world) -> None:
    """All slept for a dear price; below a target they come back in waves, without a rest after each of them."""
    world.node.twin.configure(world.snapshot("tx1").site, [record(device, ON_OFF) for device in MINERS])
    for machine in world.node.machines.values():
        machine.state, machine.power_w, machine.hashrate_ths = OpState.SLEEPING, 25.0, 0.0
    service = service_of(world, patience=Patience(), pace=Pace(wave_miners=2))
    world.caps = {"site": 20_500}  # for six of the eight, for five of them while something moves
    world.node.report()
    for woken in (2, 4, 5):
        await service.cycle("price")
        assert sum(len(batch) for batch in world.issued) == woken
        world.obey(world.issued[-1])
        world.node.report()
    await service.cycle("telemetry")
    assert len(world.issued) == 3
    world.node.report(SETTLED_MS)
    await service.cycle("telemetry")
    assert sum(len(batch) for batch in world.issued) == 6


async def test_below_a_target_nobody_climbs_for_profit(plant) -> None:
    """Two sleep by choice of the price; when it falls again they may not come back into a target that is kept."""
    for device in MINERS[:2]:
        machine = plant.world.node.machines[device]
        machine.state, machine.power_w, machine.hashrate_ths = OpState.SLEEPING, 25.0, 0.0
    await plant.cycle()
    assert plant.orders == 1  # without a target they are woken
    plant = Plant(plant.world, service_of(plant.world, patience=Patience()))
    plant.world.caps = {"site": round(plant.metered_w * 1.004)}
    await plant.cycle()
    assert plant.orders == 1


async def test_a_rung_of_a_power_limit_fills_the_rest(plant) -> None:
    plant.world.node.twin.configure(plant.world.snapshot("tx1").site, [record(device) for device in MINERS])
    plant.world.caps = {"site": TARGET_W}
    await plant.cycle()
    kinds = {type(action) for batch in plant.world.issued for _, action, _ in batch}
    assert SetPowerLimit in kinds
    await plant.rest()
    assert 0.96 * TARGET_W < plant.metered_w <= TARGET_W


async def test_without_any_quiet_moment_the_target_is_kept_by_the_count(world) -> None:
    for machine in world.node.machines.values():
        machine.state = OpState.TUNING
    world.node.report()
    world.caps = {"site": 20_000}
    cycle = await service_of(world).cycle("curtailment")
    assert cycle.landings[0].expected_w is None
    assert cycle.problem.cap_w[0] == 20_000
    assert cycle.decision.certificate.load_w[0] <= 20_000
    assert (cycle.problem.lock == Lock.UNSETTLED).all()


async def test_a_target_of_a_feeder_that_left_the_site_binds_nothing(world) -> None:
    world.caps = {"gone": 1_000}
    cycle = await service_of(world).cycle("curtailment")
    assert cycle.landings == ()
    assert world.issued == []
