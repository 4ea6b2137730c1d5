"""How much a site may draw now, and which machines stop so that it does.

While the controller is there, it dispatches and this module only watches. Once it has been silent for `silence_s`, the
cap of the plan's running interval holds; when the plan has run out, its fallback cap does, or that of the site's own
file. Autonomy only ever sheds: to start machines again is for somebody who sees the whole picture.
"""

from collections.abc import Iterator

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.asked import Asked
from agent.site.safety.shedding import hungriest_first, shed
from agent.site.safety.verdict import Demand

PLAN_CAP = "autonomy.plan-cap"
FALLBACK_CAP = "autonomy.fallback-cap"
SILENCE_S = 60.0
SETTLE_S = 90.0


class PlanWindow(msgspec.Struct, frozen=True):
    """A plan as autonomy needs it: when it holds, which cap from when on, who is shed first."""

    valid_from_ms: int
    valid_until_ms: int
    intervals: tuple[tuple[int, int | None], ...]
    shed_order: tuple[str, ...]
    fallback_cap_w: int | None

    def cap_w(self, now_ms: int) -> int | None:
        """The cap of the interval that runs now; None is no cap."""
        cap_w: int | None = None
        for start_ms, interval_cap_w in self.intervals:
            if start_ms > now_ms:
                break
            cap_w = interval_cap_w
        return cap_w


class Autonomy:
    """Remembers when it last shed, because a shed needs time to show at the meter."""

    def __init__(self, fallback_cap_w: int | None, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self._fallback_cap_w = fallback_cap_w
        self._asked = Asked(2 * SETTLE_S)
        self._settled_s = 0.0

    def rule_in_force(self, plan: PlanWindow | None, silent_s: float, now_ms: int) -> tuple[str, int] | None:
        """The rule and its cap in watts; None while the controller leads or nothing limits."""
        if silent_s < self._silence_s:
            return None
        if plan is not None and plan.valid_from_ms <= now_ms < plan.valid_until_ms:
            cap_w = plan.cap_w(now_ms)
            return None if cap_w is None else (PLAN_CAP, cap_w)
        caps = [self._fallback_cap_w, plan.fallback_cap_w if plan is not None else None]
        known = [cap_w for cap_w in caps if cap_w is not None]
        return (FALLBACK_CAP, min(known)) if known else None

    def decide(
        self, image: ProcessImage, load_w: float, plan: PlanWindow | None, silent_s: float, now_ms: int
    ) -> list[Demand]:
        """The machines that must sleep now. `load_w` is the whole site's; `now_ms` the time of signed plans."""
        rule = self.rule_in_force(plan, silent_s, now_ms)
        if rule is None or image.sampled_s < self._settled_s:
            return []
        name, cap_w = rule
        excess_w = load_w - cap_w
        if excess_w <= 0:
            return []
        self._settled_s = image.sampled_s + SETTLE_S
        detail = (
            f"site {excess_w / 1000:.0f} kW above its cap of {cap_w / 1000:.0f} kW, controller silent {silent_s:.0f} s"
        )
        return list(shed(self._asked, name, _in_order(image, plan), image, excess_w, detail))


def _in_order(image: ProcessImage, plan: PlanWindow | None) -> Iterator[MinerState]:
    """First those the plan names, then the hungriest; an unknown machine comes last and is not forgotten."""
    named = plan.shed_order if plan is not None else ()
    yield from (image.miners[device_id] for device_id in named if device_id in image.miners)
    rest = image.miners.keys() - set(named)
    yield from hungriest_first((image.miners[device_id] for device_id in rest), image)
