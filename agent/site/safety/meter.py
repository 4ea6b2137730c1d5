"""A meter that says much less than what is measured below it is wrong: a reversed or exchanged transformer, a ratio.

A meter follows a shed at once and the machines' own readings later, so it is disbelieved only after `PATIENCE_S`.
"""

from collections.abc import Iterator

from agent.site.safety.verdict import Alarm

METER_LOW = "interlock.meter-low"
PATIENCE_S = 30.0
_LEAST_SHARE = 0.7  # miners guess their watts by up to 20 %
_LEAST_BELOW_W = 1_000.0


class MeterCheck:
    """Remembers since when each meter is too low."""

    def __init__(self) -> None:
        self._low_since_s: dict[str, float] = {}
        self._wrong: dict[str, str] = {}
        self._told: set[str] = set()

    def believes(self, meter_id: str, metered_w: float, below_w: float, now_s: float) -> bool:
        """May `metered_w` be used beside `below_w`, the watts that are measured below the meter?"""
        if below_w < _LEAST_BELOW_W or metered_w >= _LEAST_SHARE * below_w:
            self._low_since_s.pop(meter_id, None)
            self._wrong.pop(meter_id, None)
            return True
        if now_s - self._low_since_s.setdefault(meter_id, now_s) < PATIENCE_S:
            return True
        self._wrong[meter_id] = f"says {metered_w / 1000:.1f} kW, {below_w / 1000:.1f} kW are measured below it"
        return False

    def alarms(self) -> Iterator[Alarm]:
        """What has changed since this was last asked."""
        for meter_id in sorted(self._wrong.keys() - self._told):
            yield Alarm(METER_LOW, meter_id, True, self._wrong[meter_id])
        for meter_id in sorted(self._told - self._wrong.keys()):
            yield Alarm(METER_LOW, meter_id, False, "fits what is measured below it")
        self._told = set(self._wrong)
