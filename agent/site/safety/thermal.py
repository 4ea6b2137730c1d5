"""Too hot: chips of one miner, inlet air of one container, each with hysteresis.

An unknown temperature changes nothing: what was tripped stays tripped, what was well stays well.
"""

import statistics
from collections.abc import Iterator

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.load import FRESH_MS
from agent.site.safety.refusal import CHIP_HOT, INLET_HIGH
from agent.site.safety.verdict import Alarm, Demand
from shared.actions import Sleep
from shared.site import SafetyLimits
from shared.states import OpState

ASK_AGAIN_MS = 60_000


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


class Thermal:
    """`chips` trips per miner on the hottest chip, `inlets` per container on the median of its miners' inlet air."""

    def __init__(self, limits: SafetyLimits) -> None:
        self.chips = Hysteresis(limits.chip_max_c, limits.chip_resume_c)
        self.inlets = Hysteresis(limits.inlet_max_c, limits.inlet_resume_c)
        self._limits = limits
        self._told_ms: dict[str, int] = {}

    def observe(self, image: ProcessImage) -> Iterator[Alarm]:
        inlets_c: dict[str, list[float]] = {}
        for miner in image.miners.values():
            chip_c = miner.value("chip_temp_c", image.sampled_at_ms, FRESH_MS)
            changed = self.chips.update(miner.device_id, chip_c)
            if changed is not None:
                yield Alarm(
                    CHIP_HOT, miner.device_id, changed, f"{chip_c:.0f} °C, limit {self._limits.chip_max_c:.0f} °C"
                )
            inlet_c = miner.value("inlet_temp_c", image.sampled_at_ms, FRESH_MS)
            if inlet_c is not None and miner.placement is not None:
                inlets_c.setdefault(miner.placement.container, []).append(inlet_c)
        for container, values_c in inlets_c.items():
            median_c = statistics.median(values_c)
            changed = self.inlets.update(container, median_c)
            if changed is not None:
                detail = f"median of {len(values_c)} inlets {median_c:.0f} °C, limit {self._limits.inlet_max_c:.0f} °C"
                yield Alarm(INLET_HIGH, container, changed, detail)

    def demands(self, image: ProcessImage) -> Iterator[Demand]:
        """Hot miners must sleep; one that is still awake and hot `ASK_AGAIN_MS` later is told again."""
        now_ms = image.sampled_at_ms
        self._told_ms = {device_id: ms for device_id, ms in self._told_ms.items() if device_id in self.chips.tripped}
        for device_id, chip_c in self.chips.tripped.items():
            told_ms = self._told_ms.get(device_id)
            if told_ms is None or (now_ms - told_ms >= ASK_AGAIN_MS and _awake(image.miners[device_id], now_ms)):
                self._told_ms[device_id] = now_ms
                detail = f"{chip_c:.0f} °C, limit {self._limits.chip_max_c:.0f} °C"
                yield Demand(CHIP_HOT, device_id, Sleep(), detail)


def _awake(miner: MinerState, now_ms: int) -> bool:
    """Read a moment ago and not at rest."""
    fresh = miner.value("chip_temp_c", now_ms, FRESH_MS) is not None
    return fresh and miner.op_state(now_ms, FRESH_MS) not in (OpState.SLEEPING, OpState.STOPPED_THERMAL)
