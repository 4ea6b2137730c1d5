"""Too much on a feeder: shed before the breaker decides which machines stop.

The continuous limit (80 % of the rating, NEC 210.20) may be crossed for `GRACE_MS`, since ramps overshoot; above the
full rating there is no grace.
"""

from collections.abc import Iterator

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.load import FeederLoad, Tree, draw_w
from agent.site.safety.refusal import FEEDER_OVERLOAD
from agent.site.safety.verdict import Alarm, Demand
from shared.actions import Sleep
from shared.states import OpState

GRACE_MS = 10_000
SETTLE_MS = 20_000
_TARGET = 0.98


class FeederGuard:
    """Remembers since when each feeder is over its limit and when it was last relieved."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._over_since_ms: dict[str, int] = {}
        self._relieved_ms: dict[str, int] = {}

    def observe(self, image: ProcessImage, loads: dict[str, FeederLoad]) -> Iterator[Alarm | Demand]:
        now_ms = image.sampled_at_ms
        shed: set[str] = set()
        for feeder in self._tree.leaves_first:
            load = loads[feeder.id]
            if load.capacity_w is None or load.load_w <= load.capacity_w:
                if self._over_since_ms.pop(feeder.id, None) is not None:
                    yield Alarm(FEEDER_OVERLOAD, feeder.id, active=False, detail=_sentence(load))
                continue
            if feeder.id not in self._over_since_ms:
                self._over_since_ms[feeder.id] = now_ms
                yield Alarm(FEEDER_OVERLOAD, feeder.id, active=True, detail=_sentence(load))
            if self._must_shed(feeder.id, load, feeder.continuous_factor, now_ms):
                self._relieved_ms[feeder.id] = now_ms
                yield from self._shed(feeder.id, load, image, shed)

    def _must_shed(self, feeder_id: str, load: FeederLoad, continuous_factor: float, now_ms: int) -> bool:
        """Only a measured overload sheds: a worst-case guess refuses ups, it does not stop machines."""
        assert load.capacity_w is not None
        relieved_ms = self._relieved_ms.get(feeder_id)
        if not load.measured or (relieved_ms is not None and now_ms - relieved_ms < SETTLE_MS):
            return False
        above_rating = load.load_w > load.capacity_w / continuous_factor
        return above_rating or now_ms - self._over_since_ms[feeder_id] >= GRACE_MS

    def _shed(self, feeder_id: str, load: FeederLoad, image: ProcessImage, shed: set[str]) -> Iterator[Demand]:
        assert load.capacity_w is not None
        excess_w = load.load_w - _TARGET * load.capacity_w
        for miner in sorted(self._below(feeder_id, image), key=lambda m: -draw_w(m, image.sampled_at_ms)):
            if excess_w <= 0:
                return
            excess_w -= draw_w(miner, image.sampled_at_ms) - miner.rating.sleep_w
            if miner.device_id not in shed:
                shed.add(miner.device_id)
                yield Demand(FEEDER_OVERLOAD, miner.device_id, Sleep(), f"feeder {feeder_id}: {_sentence(load)}")

    def _below(self, feeder_id: str, image: ProcessImage) -> Iterator[MinerState]:
        for miner in image.miners.values():
            if miner.placement is None or feeder_id not in self._tree.paths[miner.placement.feeder]:
                continue
            if miner.reading is None or miner.reading.op_state is not OpState.SLEEPING:
                yield miner


def _sentence(load: FeederLoad) -> str:
    assert load.capacity_w is not None
    return f"{load.load_w / 1000:.1f} kW, continuous limit {load.capacity_w / 1000:.1f} kW"
