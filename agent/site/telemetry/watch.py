"""What in an image is worth an alarm: devices that went silent, faults that they report, values that stand still.

An alarm is raised once and cleared once; another fault beside one that stands is told as its new text. What holds is
remembered by (code, subject), also over a restart. Every code has a line in docs/events.md.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from agent.site.devices.image import MeterState, MinerState, ProcessImage
from agent.site.devices.reading import quality_of
from agent.site.safety.verdict import Alarm, AlarmKey
from shared.quality import Quality
from shared.states import Reach, Severity
from shared.wire.event import Event

MINER_SILENT = "device.silent"
MINER_FAULT = "device.fault"
MINER_FROZEN = "device.frozen"
METER_SILENT = "meter.silent"
METER_FROZEN = "meter.frozen"
METER_FAULT = "meter.fault"
EXCHANGED = "device.exchanged"
SILENT_AFTER_S = 20.0
SILENT_AFTER_POLLS = 3
SHOWS_WITHIN_S = 60.0

SEVERITIES = {
    MINER_SILENT: Severity.P3,
    MINER_FAULT: Severity.P3,
    MINER_FROZEN: Severity.P3,
    METER_SILENT: Severity.P2,
    METER_FROZEN: Severity.P2,
    METER_FAULT: Severity.P2,
    EXCHANGED: Severity.P2,
    "interlock.chip-hot": Severity.P2,
    "interlock.inlet-high": Severity.P1,
    "interlock.feeder-overload": Severity.P1,
    "interlock.meter-low": Severity.P2,
}


_OF_DEVICES = frozenset({MINER_SILENT, MINER_FAULT, MINER_FROZEN, METER_SILENT, METER_FROZEN, METER_FAULT, EXCHANGED})
_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_WORDS_ARE_NEWS = frozenset({MINER_FAULT, METER_FAULT})


def silent_after_s(warm_s: float) -> float:
    """The age from which a device is silent, where a round of polls takes `warm_s`."""
    return max(SILENT_AFTER_S, SILENT_AFTER_POLLS * warm_s)


class Watch:
    """A device is silent when its last reading is older than `silent_after_s`."""

    def __init__(self, silent_after_s: float = SILENT_AFTER_S) -> None:
        self._silent_after_s = silent_after_s
        self._standing: dict[AlarmKey, str] = {}
        self._restored: dict[AlarmKey, str] = {}
        self._known: frozenset[str] = frozenset()
        self._forget_at_s = 0.0

    def resume(self, standing: Mapping[AlarmKey, str], known: Collection[str], now_s: float) -> None:
        """What stood when the agent went down stands on until it shows again, or that it is over. A device of `known`
        has to be read for that; what else does not show again within `SHOWS_WITHIN_S` is over.
        """
        self._restored = {key: text for key, text in standing.items() if key not in self._standing}
        self._known = frozenset(known)
        self._forget_at_s = now_s + SHOWS_WITHIN_S

    def compare(self, image: ProcessImage, alarms: tuple[Alarm, ...]) -> list[Event]:
        """The events of this cycle: what began, ended, or is another fault than the last that was told."""
        now_ms = image.sampled_at_ms
        events = [_event(now_ms, alarm.rule, alarm.subject, alarm.detail, active=alarm.active) for alarm in alarms]
        for alarm in alarms:
            self._restored.pop((alarm.rule, alarm.subject), None)
        holding = dict(self._conditions(image))
        self._settle_restored(image, holding)
        for key, text in holding.items():
            if key not in self._standing or (key[0] in _WORDS_ARE_NEWS and _words(text) != _words(self._standing[key])):
                events.append(_event(now_ms, *key, text, active=True))
        for key, text in self._standing.items():
            if key not in holding:
                events.append(_event(now_ms, *key, text, active=False))
        self._standing = holding
        return events

    def _settle_restored(self, image: ProcessImage, holding: Mapping[AlarmKey, str]) -> None:
        """What shows again, and what is over, is from now on like everything else."""
        for key in [key for key in self._restored if key in holding or self._is_over(key, image)]:
            self._standing[key] = self._restored.pop(key)

    def _is_over(self, key: AlarmKey, image: ProcessImage) -> bool:
        code, subject = key
        if code in _OF_DEVICES:
            state = image.miners.get(subject) or image.meters.get(subject) or image.pdus.get(subject)
            if state is not None and state.observed_s is not None:
                return True
            if subject in self._known:
                return False
        return image.sampled_s >= self._forget_at_s

    def _conditions(self, image: ProcessImage) -> Iterator[tuple[AlarmKey, str]]:
        for miner in image.miners.values():
            yield from self._of_miner(miner, image.sampled_s)
        for meter in image.meters.values():
            yield from self._of_meter(meter, image.sampled_s)
        reaches = [(state.device_id, state.reach) for state in image.meters.values()]
        reaches += [(state.device_id, state.reach) for state in image.pdus.values()]
        for device_id, reach in reaches:
            if reach is Reach.OTHER:
                yield (EXCHANGED, device_id), "another device answers at its address"

    def _of_miner(self, miner: MinerState, now_s: float) -> Iterator[tuple[AlarmKey, str]]:
        if self._silent(miner, now_s):
            yield (MINER_SILENT, miner.device_id), _silence(miner)
            return
        if miner.reading is None:
            return
        if miner.reading.faults:
            yield (MINER_FAULT, miner.device_id), "; ".join(miner.reading.faults)
        if quality_of(miner.reading, "hashrate_ths") is Quality.FROZEN:
            yield (MINER_FROZEN, miner.device_id), "repeats the same values to the last digit"

    def _of_meter(self, meter: MeterState, now_s: float) -> Iterator[tuple[AlarmKey, str]]:
        if self._silent(meter, now_s):
            yield (METER_SILENT, meter.device_id), _silence(meter)
            return
        if meter.reading is None:
            return
        if meter.reading.faults:
            yield (METER_FAULT, meter.device_id), "; ".join(meter.reading.faults)
        if quality_of(meter.reading, "power_w") is Quality.FROZEN:
            yield (METER_FROZEN, meter.device_id), "repeats the same values to the last digit"

    def _silent(self, state: MinerState | MeterState, now_s: float) -> bool:
        """Its age decides, however the last try ended. One that was never found is not silent yet: discovery looks."""
        if state.observed_s is None:
            return state.reach not in (Reach.UP, Reach.NEVER)
        return now_s - state.observed_s > self._silent_after_s


def _words(text: str) -> list[str]:
    """The faults in a text, whatever their order and their figures, which move all the time."""
    return sorted(_FIGURE.sub("0", fault) for fault in text.split("; "))


def _silence(state: MinerState | MeterState) -> str:
    if state.reach is Reach.OTHER:
        return "another device answers at its address"
    return "is not read any more" if state.reach is Reach.UP else f"does not answer ({state.reach.name.lower()})"


def _event(at_ms: int, code: str, subject: str, text: str, *, active: bool) -> Event:
    severity = SEVERITIES.get(code, Severity.NOTICE)
    return Event(at_ms=at_ms, code=code, subject=subject, severity=severity, text=text, active=active)
