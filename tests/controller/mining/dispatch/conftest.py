"""Small random problems: odd trees, ladders that are not concave, locks."""

from collections.abc import Callable

import numpy as np
import pytest

from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.fleet.tree import NO_LIMIT_W, FeederTree
from shared.site import Feeder

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
