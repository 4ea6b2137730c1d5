"""Too much on a feeder: shed before the breaker decides which machines stop.

The continuous limit (80 % of the rating, NEC 210.20) may be crossed for `GRACE_S`, since ramps overshoot; above the
full rating there is no grace. After a shed the feeder has `SETTLE_S` to show it; then its own load decides whether
more must go.
"""

from collections.abc import Iterator

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.asked import Asked
from agent.site.safety.load import FeederLoad, Tree
from agent.site.safety.refusal import FEEDER_OVERLOAD
from agent.site.safety.shedding import hungriest_first, shed
from agent.site.safety.verdict import Alarm, Demand
from shared.site import Feeder

GRACE_S = 10.0
SETTLE_S = 20.0
_TARGET = 0.98


class FeederGuard:
    """Remembers since when each feeder is over its limit, when it was last relieved, and whom it asked."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._asked = Asked()
        self._over_since_s: dict[str, float] = {}
        self._relieved_s: dict[str, float] = {}

    def observe(self, image: ProcessImage, loads: dict[str, FeederLoad]) -> Iterator[Alarm | Demand]:
        for feeder in self._tree.leaves_first:
            load = loads[feeder.id]
            if load.capacity_w is None:
                continue
            if load.sure_w <= load.capacity_w:
                if self._over_since_s.pop(feeder.id, None) is not None:
                    yield Alarm(FEEDER_OVERLOAD, feeder.id, active=False, detail=_sentence(load))
                continue
            if feeder.id not in self._over_since_s:
                self._over_since_s[feeder.id] = image.sampled_s
                yield Alarm(FEEDER_OVERLOAD, feeder.id, active=True, detail=_sentence(load))
            if self._must_shed(feeder, load, load.capacity_w, image.sampled_s):
                yield from self._shed(feeder.id, load, load.capacity_w, image)

    def _must_shed(self, feeder: Feeder, load: FeederLoad, capacity_w: int, now_s: float) -> bool:
        relieved_s = self._relieved_s.get(feeder.id)
        if relieved_s is not None and now_s - relieved_s < SETTLE_S:
            return False
        above_rating = load.sure_w > capacity_w / feeder.continuous_factor
        return above_rating or now_s - self._over_since_s[feeder.id] >= GRACE_S

    def _shed(self, feeder_id: str, load: FeederLoad, capacity_w: int, image: ProcessImage) -> Iterator[Demand]:
        excess_w = load.sure_w - _TARGET * capacity_w
        detail = f"feeder {feeder_id}: {_sentence(load)}"
        candidates = hungriest_first(self._below(feeder_id, image), image)
        for demand in shed(self._asked, FEEDER_OVERLOAD, candidates, image, excess_w, detail):
            self._relieved_s[feeder_id] = image.sampled_s
            yield demand

    def _below(self, feeder_id: str, image: ProcessImage) -> Iterator[MinerState]:
        for miner in image.miners.values():
            if miner.placement is not None and feeder_id in self._tree.paths[miner.placement.feeder]:
                yield miner


def _sentence(load: FeederLoad) -> str:
    assert load.capacity_w is not None
    return f"{load.sure_w / 1000:.1f} kW, continuous limit {load.capacity_w / 1000:.1f} kW"
