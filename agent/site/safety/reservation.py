"""Room that is promised: a machine that was let to rise, or that is seen to start, is budgeted at what it may reach.

A wake is confirmed at the first hash, minutes before the last watt. So a promise does not end with its order but when
the draw has arrived, or when the ramp of the firmware's profile is over; until then what is still missing counts on
every feeder above the machine.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.load import AT_REST, FRESH_S, FeederLoad, Tree, draw_w
from shared.states import OpState

ARRIVED = 0.9  # of the target: the rest is the spread between units of one model
_STARTS = "starts"


class Promise(msgspec.Struct, frozen=True):
    """Up to `target_w` watts until `until_s`, monotonic."""

    target_w: float
    until_s: float


class Reservations:
    """`on_w` is what is promised and not yet drawn, in watts by feeder, `standing_w` the part of it that was promised
    before the last cycle's image; image and loads are those of that cycle.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._promises: dict[str, dict[str, Promise]] = {}
        self._image: ProcessImage | None = None
        self._loads: Mapping[str, FeederLoad] = {}
        self.on_w: dict[str, float] = {}
        self.standing_w: dict[str, float] = {}

    def observe(self, image: ProcessImage, loads: Mapping[str, FeederLoad]) -> None:
        """Promise to what starts, drop what has arrived or run out, count what is still missing."""
        self._image, self._loads, self.on_w = image, loads, {}
        for miner in image.miners.values():
            if miner.op_state(image.sampled_s, FRESH_S) is OpState.STARTING:
                self._promise(miner, _STARTS, float(miner.rating.max_w), image)
        for device_id in list(self._promises):
            miner = image.miners[device_id]
            held = self._promises.pop(device_id)
            kept = {cause: promise for cause, promise in held.items() if not _over(promise, miner, image)}
            if kept:
                self._promises[device_id] = kept
                self._count(miner, 1)
        self.standing_w = self.on_w.copy()

    def added_w(self, miner: MinerState, target_w: float) -> dict[str, float]:
        """What a rise to `target_w` adds on each feeder of its path beyond what is drawn and promised already."""
        promised = dict(self._missing(miner, self._promised_w(miner)))
        rise = self._missing(miner, target_w)
        return {feeder_id: max(watts - promised.get(feeder_id, 0.0), 0.0) for feeder_id, watts in rise}

    def take(self, miner: MinerState, cause: str, target_w: float) -> None:
        """Promise, unless it is drawn already; a later promise for the same cause replaces the earlier."""
        assert self._image is not None
        with self._recounted(miner):
            self._promise(miner, cause, target_w, self._image)
            if _over(self._promises[miner.device_id][cause], miner, self._image):
                del self._promises[miner.device_id][cause]

    def release(self, device_id: str, cause: str | None = None) -> None:
        """Take back what was promised for one cause, or all of it."""
        held = self._promises.get(device_id)
        miner = None if self._image is None else self._image.miners.get(device_id)
        if held is None or miner is None:
            return
        with self._recounted(miner):
            for name in [cause] if cause is not None else list(held):
                held.pop(name, None)
        if not held:
            del self._promises[device_id]

    def _promise(self, miner: MinerState, cause: str, target_w: float, image: ProcessImage) -> None:
        promise = Promise(target_w, image.sampled_s + miner.rating.ramp_s)
        self._promises.setdefault(miner.device_id, {})[cause] = promise

    def _promised_w(self, miner: MinerState) -> float:
        promises = self._promises.get(miner.device_id, {}).values()
        return max((promise.target_w for promise in promises), default=0.0)

    @contextmanager
    def _recounted(self, miner: MinerState) -> Iterator[None]:
        self._count(miner, -1)
        yield
        self._count(miner, 1)

    def _count(self, miner: MinerState, sign: int) -> None:
        for feeder_id, watts in self._missing(miner, self._promised_w(miner)):
            self.on_w[feeder_id] = self.on_w.get(feeder_id, 0.0) + sign * watts

    def _missing(self, miner: MinerState, target_w: float) -> Iterator[tuple[str, float]]:
        """From its own feeder up, the watts between the target and what the feeder's load holds of the machine now.

        A sum holds the machine at `draw_w`. From the first meter on the load is what really flows, and of that only
        what the machine surely draws is its own.
        """
        if miner.placement is None or self._image is None:
            return
        held_w = draw_w(miner, self._image)
        for feeder_id in self._tree.paths[miner.placement.feeder]:
            if self._loads[feeder_id].measured:
                held_w = surely_w(miner, self._image)
            yield feeder_id, max(target_w - held_w, 0.0)


def surely_w(miner: MinerState, image: ProcessImage) -> float:
    """The least that fresh readings allow: of its outlet, of its own watts, of its state. 0 where nothing tells."""
    told_w = miner.value("power_w", image.sampled_s, FRESH_S)
    watts = [] if told_w is None else [told_w]
    watts += [sample.power_w for sample in image.outlet_of(miner)[-1:] if image.sampled_s - sample.at_s <= FRESH_S]
    state = miner.op_state(image.sampled_s, FRESH_S)
    if state in AT_REST:
        watts.append(float(miner.rating.sleep_w))
    if not watts and state is OpState.HASHING:
        return draw_w(miner, image)
    return min(watts, default=0.0)


def _over(promise: Promise, miner: MinerState, image: ProcessImage) -> bool:
    """Drawn, or the time of the ramp is up; a model that nobody knows has arrived when it hashes at its rate."""
    if image.sampled_s >= promise.until_s or surely_w(miner, image) >= ARRIVED * promise.target_w:
        return True
    return not miner.rating.known and miner.op_state(image.sampled_s, FRESH_S) is OpState.HASHING
