"""What each feeder carries now.

A meter's word beats the sum of what hangs below it. Where nobody measures, a miner counts at its worst-case draw: a
stale or unknown machine is never off.
"""

from collections.abc import Iterable

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from shared.site import Feeder, Site
from shared.states import OpState

FRESH_MS = 15_000


class FeederLoad(msgspec.Struct, frozen=True):
    """`measured` is True where a meter of this very feeder says so."""

    load_w: float
    capacity_w: int | None
    measured: bool

    @property
    def headroom_w(self) -> float:
        return float("inf") if self.capacity_w is None else self.capacity_w - self.load_w


class Tree:
    """The electrical tree of a site, children and paths worked out once."""

    def __init__(self, site: Site) -> None:
        self.feeders = {feeder.id: feeder for feeder in site.feeder}
        self.children: dict[str, list[str]] = {feeder.id: [] for feeder in site.feeder}
        for feeder in site.feeder:
            if feeder.parent is not None:
                self.children[feeder.parent].append(feeder.id)
        self.leaves_first = self._ordered()
        self.paths = {feeder_id: tuple(self._path(feeder_id)) for feeder_id in self.feeders}

    def _ordered(self) -> tuple[Feeder, ...]:
        order: list[Feeder] = []
        stack = [feeder for feeder in self.feeders.values() if feeder.parent is None]
        while stack:
            feeder = stack.pop()
            order.append(feeder)
            stack.extend(self.feeders[child] for child in self.children[feeder.id])
        return tuple(reversed(order))

    def _path(self, feeder_id: str) -> Iterable[str]:
        current: str | None = feeder_id
        while current is not None:
            yield current
            current = self.feeders[current].parent


def draw_w(miner: MinerState, now_ms: int) -> float:
    """Watts at the wall: measured where fresh, else asleep if known asleep, else the worst case."""
    measured = miner.value("power_w", now_ms, FRESH_MS)
    if measured is not None:
        return measured
    asleep = miner.op_state(now_ms, FRESH_MS) in (OpState.SLEEPING, OpState.STOPPED_USER)
    return float(miner.rating.sleep_w if asleep else miner.rating.max_w)


def feeder_loads(tree: Tree, image: ProcessImage) -> dict[str, FeederLoad]:
    """The load of every feeder, leaves first."""
    now_ms = image.sampled_at_ms
    below_w = dict.fromkeys(tree.feeders, 0.0)
    for miner in image.miners.values():
        if miner.placement is not None:
            below_w[miner.placement.feeder] += draw_w(miner, now_ms)
    loads: dict[str, FeederLoad] = {}
    for feeder in tree.leaves_first:
        summed_w = below_w[feeder.id] + feeder.unmetered_w
        summed_w += sum(loads[child].load_w for child in tree.children[feeder.id])
        metered_w = _metered_w(feeder, image)
        loads[feeder.id] = FeederLoad(
            summed_w if metered_w is None else metered_w, feeder.capacity_w, metered_w is not None
        )
    return loads


def _metered_w(feeder: Feeder, image: ProcessImage) -> float | None:
    meter = image.meters.get(feeder.meter or "")
    return None if meter is None else meter.value("power_w", image.sampled_at_ms, FRESH_MS)
