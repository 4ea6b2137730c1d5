"""Small random problems: odd trees, ladders that are not concave, locks; and a service on the small site."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.formulate import Policy
from controller.mining.dispatch.pending import Patience
from controller.mining.dispatch.ports import OrderLine
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.dispatch.service import DispatchPorts, DispatchService, DispatchSettings
from controller.mining.fleet.tree import NO_LIMIT_W, FeederTree
from shared.actions import SetPowerLimit, Sleep, Wake
from shared.errors import Denied, GatewayUnavailable
from shared.site import Feeder
from shared.states import OpState
from tests.controller.mining.conftest import Node

MakeProblem = Callable[..., Problem]


def make_problem(
    seed: int,
    miners: int,
    feeders: int,
    *,
    modes: int = 4,
    switch_usd_h: float = 0.0,
    locked: float = 0.0,
    energy_usd_wh: float = 30e-6,
    slack: float = 0.7,
) -> Problem:
    """A forest of any shape with miners on any feeder; `slack` is the limit's share of the highest load below."""
    random = np.random.default_rng(seed)
    tree = FeederTree.of(
        [
            Feeder(
                id=f"f{n}", kind="any", parent=None if n == 0 or random.random() < 0.15 else f"f{random.integers(n)}"
            )
            for n in range(feeders)
        ]
    )
    feeder = np.sort(random.integers(feeders, size=miners))
    steps = random.integers(150, 900, size=(modes, miners))
    power_w = np.cumsum(steps, axis=0) - steps[0] + random.integers(0, 40, miners)
    hashrate = np.cumsum(random.random((modes, miners)) * steps / 25, axis=0)
    hashrate -= hashrate[0]
    count = random.integers(2, modes + 1, size=miners)
    for miner, last in enumerate(count - 1):
        power_w[last:, miner], hashrate[last:, miner] = power_w[last, miner], hashrate[last, miner]
    free = random.random(miners) >= locked
    top = tree.below(np.bincount(feeder, weights=power_w[-1], minlength=feeders).astype(np.int64))
    low = tree.below(
        np.bincount(feeder, weights=np.where(free, power_w[0], power_w[-1]), minlength=feeders).astype(np.int64)
    )
    share = random.uniform(slack, 1.1, feeders)
    cap_w = np.where(random.random(feeders) < 0.2, NO_LIMIT_W, low + ((top - low) * share).astype(np.int64))
    return Problem(
        tree=tree, row=np.arange(miners), feeder=feeder, power_w=power_w, hashrate_ths=hashrate, high=count - 1,
        current=(random.random(miners) * count).astype(np.int64), free=free,
        lock=np.where(free, Lock.NONE, Lock.UNSEEN).astype(np.int8), locked_w=power_w[-1],
        cap_w=cap_w, reserved_w=np.zeros(feeders, np.int64), energy_usd_wh=energy_usd_wh,
        hashprice_usd_ths_h=0.001875, switch_usd_h=switch_usd_h,
    )  # fmt: skip


@pytest.fixture
def problem() -> MakeProblem:
    return make_problem


@dataclass
class World:
    """Every port of the service, on the small site; `obey` plays the machines."""

    node: Node
    price_usd_mwh: float = 20.0
    until_ms: int = 1 << 60
    caps: dict[str, int] = field(default_factory=dict)
    issued: list[tuple[OrderLine, ...]] = field(default_factory=list)
    recorded: list[Cycle] = field(default_factory=list)
    refuses: type | None = None
    operated: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)

    def current(self, now_ms: int) -> Quote:
        if self.price_usd_mwh < -9_000:
            raise GatewayUnavailable("no price")
        return Quote(
            energy_usd_mwh=self.price_usd_mwh,
            energy_from_ms=0,
            energy_until_ms=self.until_ms,
            hashprice_usd_phs_day=45.0,
            hashprice_at_ms=0,
            source="test",
        )

    def caps_w(self, site: str, now_ms: int) -> Mapping[str, int]:
        return self.caps

    def held(self, site: str) -> frozenset[str]:
        return self.operated

    async def issue(
        self, site: str, orders: Sequence[OrderLine], *, reason: str, decision_id: str, expires_in_s: float
    ) -> str:
        assert site == "tx1"
        assert decision_id == self.recorded[-1].decision_id  # written down before anything cites it
        told = [(device, action.verb) for device, action, _ in orders]
        assert len(set(told)) == len(told)  # the power door refuses one verb twice for one device
        if self.refuses and any(isinstance(action, self.refuses) for _, action, _ in orders):
            raise Denied("command.program-verb", "outlets are ordered by people only")
        self.issued.append(tuple(orders))
        return f"order-{len(self.issued)}"

    async def record(self, cycle: Cycle) -> None:
        self.recorded.append(cycle)

    def unsound(self, site: str, problem: str) -> None:
        self.problems.append(problem)

    def snapshot(self, site: str):
        return self.node.twin.snapshot(site)

    def obey(self, orders: Sequence[OrderLine]) -> None:
        for device, action, _ in orders:
            machine = self.node.machines.get(device)
            if isinstance(action, Sleep) and machine:
                machine.state, machine.power_w, machine.hashrate_ths = OpState.SLEEPING, 25.0, 0.0
            elif isinstance(action, SetPowerLimit) and machine:
                machine.limit_w = float(action.limit_w)
                if machine.state is OpState.HASHING:
                    machine.power_w = float(action.limit_w)
            elif isinstance(action, Wake) and machine:
                machine.state, machine.power_w, machine.hashrate_ths = OpState.HASHING, machine.limit_w, 100.0


@pytest.fixture
def world(node) -> World:
    return World(node)


def service_of(world: World, **changes) -> DispatchService:
    options = {"policy": Policy(headroom_pct=0.0), "patience": Patience(dwell_s=0.0), **changes}
    ports = DispatchPorts(
        twin=world, prices=world, caps=world, holds=world, orders=world, decisions=world, clock=world.node.clock
    )
    return DispatchService("tx1", ports, DispatchSettings(**options))
