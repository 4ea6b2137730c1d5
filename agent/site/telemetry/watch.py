"""What in an image is worth an alarm: devices that went silent, faults that they report, values that stand still.

An alarm is raised once and cleared once; what holds is remembered by (code, subject). Every code has a line in
docs/events.md.
"""

from collections.abc import Iterator

from agent.site.devices.image import MeterState, MinerState, ProcessImage
from agent.site.devices.reading import quality_of
from agent.site.safety.verdict import Alarm
from shared.quality import Quality
from shared.states import Reach, Severity
from shared.wire.event import Event

MINER_SILENT = "device.silent"
MINER_FAULT = "device.fault"
MINER_FROZEN = "device.frozen"
METER_SILENT = "meter.silent"
METER_FROZEN = "meter.frozen"
METER_FAULT = "meter.fault"
SILENT_AFTER_S = 20.0

SEVERITIES = {
    MINER_SILENT: Severity.P3,
    MINER_FAULT: Severity.P3,
    MINER_FROZEN: Severity.P3,
    METER_SILENT: Severity.P2,
    METER_FROZEN: Severity.P2,
    METER_FAULT: Severity.P2,
    "interlock.chip-hot": Severity.P2,
    "interlock.inlet-high": Severity.P1,
    "interlock.feeder-overload": Severity.P1,
    "interlock.meter-low": Severity.P2,
}


class Watch:
    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], str] = {}

    def compare(self, image: ProcessImage, alarms: tuple[Alarm, ...]) -> list[Event]:
        """The events of this cycle: what began, changed its text or ended since the last."""
        now_ms = image.sampled_at_ms
        events = [_event(now_ms, alarm.rule, alarm.subject, alarm.detail, active=alarm.active) for alarm in alarms]
        holding = dict(_conditions(image))
        for key, text in holding.items():
            if key not in self._standing:
                events.append(_event(now_ms, *key, text, active=True))
        for key, text in self._standing.items():
            if key not in holding:
                events.append(_event(now_ms, *key, text, active=False))
        self._standing = holding
        return events


def _conditions(image: ProcessImage) -> Iterator[tuple[tuple[str, str], str]]:
    for miner in image.miners.values():
        yield from _of_miner(miner, image.sampled_s)
    for meter in image.meters.values():
        yield from _of_meter(meter, image.sampled_s)


def _of_miner(miner: MinerState, now_s: float) -> Iterator[tuple[tuple[str, str], str]]:
    if _silent(miner, now_s):
        yield (MINER_SILENT, miner.device_id), f"does not answer ({miner.reach.name.lower()})"
        return
    if miner.reading is None:
        return
    if miner.reading.faults:
        yield (MINER_FAULT, miner.device_id), "; ".join(miner.reading.faults)
    if quality_of(miner.reading, "hashrate_ths") is Quality.FROZEN:
        yield (MINER_FROZEN, miner.device_id), "repeats the same values to the last digit"


def _of_meter(meter: MeterState, now_s: float) -> Iterator[tuple[tuple[str, str], str]]:
    if _silent(meter, now_s):
        yield (METER_SILENT, meter.device_id), f"does not answer ({meter.reach.name.lower()})"
        return
    if meter.reading is None:
        return
    if meter.reading.faults:
        yield (METER_FAULT, meter.device_id), "; ".join(meter.reading.faults)
    if quality_of(meter.reading, "power_w") is Quality.FROZEN:
        yield (METER_FROZEN, meter.device_id), "repeats the same values to the last digit"


def _silent(state: MinerState | MeterState, now_s: float) -> bool:
    """One that was never found is not silent yet: discovery looks for it."""
    if state.reach in (Reach.UP, Reach.NEVER):
        return False
    return state.observed_s is None or now_s - state.observed_s > SILENT_AFTER_S


def _event(at_ms: int, code: str, subject: str, text: str, *, active: bool) -> Event:
    severity = SEVERITIES.get(code, Severity.NOTICE)
    return Event(at_ms=at_ms, code=code, subject=subject, severity=severity, text=text, active=active)
