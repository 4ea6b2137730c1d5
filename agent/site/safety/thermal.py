"""Too hot: chips of one miner, inlet air of one container, each with hysteresis.

A hot miner sleeps. Of a hot container the hottest machines sleep, some at a time, until the air is below its limit. An
unknown temperature changes nothing: what was tripped stays tripped, what was well stays well.
"""

import math
import statistics
from collections.abc import Iterator

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.asked import Asked
from agent.site.safety.load import FRESH_S, at_rest
from agent.site.safety.refusal import CHIP_HOT, INLET_HIGH
from agent.site.safety.verdict import Alarm, Demand
from shared.site import SafetyLimits

INLET_SETTLE_S = 120.0  # air follows a shed within minutes
_INLET_SHARE = 0.25  # of the machines that are awake, at a time
_INLET_SENSORS = 3  # one or two may lie; where a container has fewer machines, all of them


class Hysteresis:
    """Tripped at or above `trip`, released at or below `release`, per subject."""

    def __init__(self, trip: float, release: float) -> None:
        self._trip = trip
        self._release = release
        self.tripped: dict[str, float] = {}

    def update(self, subject: str, value: float | None) -> bool | None:
        """True where it has just tripped, False where it has just been released, None otherwise."""
        if value is None:
            return None
        if subject in self.tripped:
            self.tripped[subject] = value
            if value <= self._release:
                del self.tripped[subject]
                return False
        elif value >= self._trip:
            self.tripped[subject] = value
            return True
        return None

    def resume(self, subject: str) -> None:
        """It was tripped in an earlier life of this agent, and no value has released it since."""
        self.tripped.setdefault(subject, self._trip)


class Thermal:
    """`chips` trips per miner on the hottest chip, `inlets` per container on the median of its miners' inlet air."""

    def __init__(self, limits: SafetyLimits) -> None:
        self.chips = Hysteresis(limits.chip_max_c, limits.chip_resume_c)
        self.inlets = Hysteresis(limits.inlet_max_c, limits.inlet_resume_c)
        self._limits = limits
        self._hot = Asked()
        self._in_hot_air = Asked()
        self._shed_s: dict[str, float] = {}

    def resume(self, rule: str, subject: str, now_s: float) -> None:
        """What stood when the agent went down stands until a temperature says otherwise."""
        if rule == CHIP_HOT:
            self.chips.resume(subject)
            self._hot.resume(subject, now_s)
        elif rule == INLET_HIGH:
            self.inlets.resume(subject)

    def observe(self, image: ProcessImage) -> Iterator[Alarm | Demand]:
        """What changed, and who must sleep now."""
        for miner in image.miners.values():
            yield from self._chips_of(miner, image)
        for container, miners in _by_container(image).items():
            yield from self._air_of(container, miners, image)

    def _chips_of(self, miner: MinerState, image: ProcessImage) -> Iterator[Alarm | Demand]:
        """A hot miner that is not seen at rest is told again, and then cut off at its outlet."""
        changed = self.chips.update(miner.device_id, _fresh(miner, "chip_temp_c", image))
        chip_c = self.chips.tripped.get(miner.device_id)
        if changed is False:
            self._hot.forget(miner.device_id)
            yield Alarm(CHIP_HOT, miner.device_id, False, f"down to {self._limits.chip_resume_c:.0f} °C")
        if chip_c is None:
            return
        detail = f"{chip_c:.0f} °C, limit {self._limits.chip_max_c:.0f} °C"
        if changed:
            yield Alarm(CHIP_HOT, miner.device_id, True, detail)
        told = self._hot.at_s(miner.device_id) is not None
        if not told or (self._hot.may_ask(miner.device_id, image.sampled_s) and not at_rest(miner, image)):
            yield self._hot.ask(CHIP_HOT, miner, detail, image.sampled_s)

    def _air_of(self, container: str, miners: list[MinerState], image: ProcessImage) -> Iterator[Alarm | Demand]:
        inlets_c = [inlet_c for miner in miners if (inlet_c := _fresh(miner, "inlet_temp_c", image)) is not None]
        if not inlets_c:
            return
        median_c = statistics.median(inlets_c)
        changed = self.inlets.update(container, median_c)
        detail = f"median of {len(inlets_c)} inlets {median_c:.0f} °C, limit {self._limits.inlet_max_c:.0f} °C"
        if changed is not None:
            yield Alarm(INLET_HIGH, container, changed, detail)
        if median_c >= self._limits.inlet_max_c and len(inlets_c) >= min(_INLET_SENSORS, len(miners)):
            yield from self._cool(container, miners, image, f"{container}: {detail}")

    def _cool(self, container: str, miners: list[MinerState], image: ProcessImage, detail: str) -> Iterator[Demand]:
        """The hottest of those that are awake; the next when the air had time to follow."""
        last_s = self._shed_s.get(container)
        if last_s is not None and image.sampled_s - last_s < INLET_SETTLE_S:
            return
        self._shed_s[container] = image.sampled_s
        awake: list[MinerState] = []
        for miner in miners:
            if at_rest(miner, image):
                self._in_hot_air.forget(miner.device_id)
            elif self._in_hot_air.may_ask(miner.device_id, image.sampled_s):
                awake.append(miner)
        awake.sort(key=lambda miner: (-(_fresh(miner, "chip_temp_c", image) or 0.0), miner.device_id))
        for miner in awake[: math.ceil(_INLET_SHARE * len(awake))]:
            yield self._in_hot_air.ask(INLET_HIGH, miner, detail, image.sampled_s)


def _by_container(image: ProcessImage) -> dict[str, list[MinerState]]:
    found: dict[str, list[MinerState]] = {}
    for miner in image.miners.values():
        if miner.placement is not None:
            found.setdefault(miner.placement.container, []).append(miner)
    return found


def _fresh(miner: MinerState, field: str, image: ProcessImage) -> float | None:
    return miner.value(field, image.sampled_s, FRESH_S)
