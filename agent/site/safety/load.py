"""What each feeder carries now.

A meter's word beats the sum of what hangs below it. Without a usable meter two sums count. Where load is to be added,
a machine of which nobody knows counts at its worst case: it is never off. Where load is to be shed, only what
instruments measured counts: a guess refuses orders, it does not stop machines.
"""

import math
from collections.abc import Iterable

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.meter import MeterCheck
from shared.site import Feeder, Site
from shared.states import OpState

FRESH_S = 15.0
AT_REST = frozenset({OpState.SLEEPING, OpState.STOPPED_USER})
_RUNNING = frozenset({OpState.HASHING, OpState.STARTING, OpState.TUNING})
_REST_FACTOR = 2.0  # up to this multiple of its draw asleep a machine rests, whatever it says


class FeederLoad(msgspec.Struct, frozen=True):
    """`load_w` counts where load is added, `sure_w` where it is shed; `measured` is True where a meter of this very
    feeder says so, and then they are equal.
    """

    load_w: float
    capacity_w: int | None
    measured: bool
    sure_w: float

    @property
    def headroom_w(self) -> float:
        return float("inf") if self.capacity_w is None else self.capacity_w - self.load_w


class Tree:
    """The electrical tree of a site, children and paths worked out once; `generating` meters may run backwards."""

    def __init__(self, site: Site) -> None:
        self.feeders = {feeder.id: feeder for feeder in site.feeder}
        self.generating = frozenset(meter.id for meter in site.meter if meter.generation)
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


def measured_w(miner: MinerState, image: ProcessImage) -> float | None:
    """Watts at the wall as its outlet or the machine itself measured them a moment ago. The larger of the two, since a
    plug in the wrong outlet must not hide a machine; None where neither tells. What the outlet of a machine at rest
    measured before it came to rest no longer counts.
    """
    told_w = miner.value("power_w", image.sampled_s, FRESH_S)
    samples = image.outlet_of(miner)
    if not samples or samples[-1].at_s < max(image.sampled_s - FRESH_S, _at_rest_since_s(miner, image)):
        return told_w
    return samples[-1].power_w if told_w is None else max(samples[-1].power_w, told_w)


def _at_rest_since_s(miner: MinerState, image: ProcessImage) -> float:
    if miner.since_s is None or miner.op_state(image.sampled_s, FRESH_S) not in AT_REST:
        return -math.inf
    return miner.since_s


def draw_w(miner: MinerState, image: ProcessImage) -> float:
    """Watts that it counts for where load is added: measured, else what its state tells, else the worst case."""
    watts = measured_w(miner, image)
    if watts is not None:
        return watts
    state = miner.op_state(image.sampled_s, FRESH_S)
    if state in AT_REST:
        return float(miner.rating.sleep_w)
    known = state in _RUNNING and miner.reading is not None
    return float(miner.rating.mode_w(miner.reading.power_mode if known and miner.reading is not None else None))


def at_rest(miner: MinerState, image: ProcessImage) -> bool:
    """Seen a moment ago to draw no more than asleep, or to be asleep."""
    watts = measured_w(miner, image)
    if watts is not None and watts <= _REST_FACTOR * miner.rating.sleep_w:
        return True
    return miner.op_state(image.sampled_s, FRESH_S) in AT_REST


def relief_w(miner: MinerState, image: ProcessImage) -> float:
    """Watts that its sleep frees: measured, or by its model where it was seen to run. 0 where it may be off already."""
    running = miner.op_state(image.sampled_s, FRESH_S) in _RUNNING
    if at_rest(miner, image) or (not running and measured_w(miner, image) is None):
        return 0.0
    return max(draw_w(miner, image) - miner.rating.sleep_w, 0.0)


class _Sum(msgspec.Struct):
    """What hangs below a feeder: at its worst, by instruments."""

    worst_w: float = 0.0
    measured_w: float = 0.0


def feeder_loads(tree: Tree, image: ProcessImage, meters: MeterCheck) -> dict[str, FeederLoad]:
    """The load of every feeder, leaves first."""
    below = {feeder_id: _Sum() for feeder_id in tree.feeders}
    for miner in image.miners.values():
        if miner.placement is not None:
            watts, total = measured_w(miner, image), below[miner.placement.feeder]
            total.worst_w += draw_w(miner, image) if watts is None else watts
            total.measured_w += watts or 0.0
    loads: dict[str, FeederLoad] = {}
    for feeder in tree.leaves_first:
        total = below[feeder.id]
        for child in tree.children[feeder.id]:
            total.worst_w += loads[child].load_w
            total.measured_w += loads[child].sure_w
        metered_w = _metered_w(tree, feeder, image, total.measured_w, meters)
        measured = metered_w is not None
        summed = (total.worst_w + feeder.unmetered_w, total.measured_w + feeder.unmetered_w)
        load_w, sure_w = summed if metered_w is None else (metered_w, metered_w)
        loads[feeder.id] = FeederLoad(load_w, feeder.capacity_w, measured, sure_w)
    return loads


def _metered_w(tree: Tree, feeder: Feeder, image: ProcessImage, below_w: float, meters: MeterCheck) -> float | None:
    """What the feeder's own meter says, where it is fresh and can be true."""
    meter = image.meters.get(feeder.meter or "")
    metered_w = None if meter is None else meter.value("power_w", image.sampled_s, FRESH_S)
    if meter is None or metered_w is None or meter.device_id in tree.generating:
        return metered_w
    return metered_w if meters.believes(meter.device_id, metered_w, below_w, image.sampled_s) else None
