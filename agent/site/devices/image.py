"""The process image: everything the site knows at one instant, frozen, with the age and reach of each value.

Decisions are made on one image; no value changes in the middle of a decision. What is not known stays unknown here.
"""

from collections.abc import Mapping

import msgspec

from agent.site.devices.reading import MeterReading, MinerReading, PduReading, usable
from shared.site import Placement
from shared.states import OpState, Reach


class Rating(msgspec.Struct, frozen=True):
    """What a miner may draw at most and draws asleep, in watts, by its model; the safe guess while nobody measures."""

    max_w: int
    sleep_w: int


class MinerState(msgspec.Struct, frozen=True):
    """A miner in the image: its last good reading, when that was, and how the last try ended."""

    device_id: str
    reach: Reach
    rating: Rating
    placement: Placement | None = None
    observed_at_ms: int | None = None
    reading: MinerReading | None = None

    def value(self, field: str, now_ms: int, max_age_ms: int) -> float | None:
        """The value where it is usable and fresh, otherwise None."""
        if self.reading is None or self.observed_at_ms is None or now_ms - self.observed_at_ms > max_age_ms:
            return None
        return usable(self.reading, field)

    def op_state(self, now_ms: int, max_age_ms: int) -> OpState:
        """The state where it is fresh, otherwise UNKNOWN."""
        if self.reading is None or self.observed_at_ms is None or now_ms - self.observed_at_ms > max_age_ms:
            return OpState.UNKNOWN
        return self.reading.op_state


class MeterState(msgspec.Struct, frozen=True):
    device_id: str
    reach: Reach
    observed_at_ms: int | None = None
    reading: MeterReading | None = None

    def value(self, field: str, now_ms: int, max_age_ms: int) -> float | None:
        """The value where it is usable and fresh, otherwise None."""
        if self.reading is None or self.observed_at_ms is None or now_ms - self.observed_at_ms > max_age_ms:
            return None
        return usable(self.reading, field)


class PduState(msgspec.Struct, frozen=True):
    device_id: str
    reach: Reach
    observed_at_ms: int | None = None
    reading: PduReading | None = None


class ProcessImage(msgspec.Struct, frozen=True):
    cycle: int
    sampled_at_ms: int
    miners: Mapping[str, MinerState]
    meters: Mapping[str, MeterState]
    pdus: Mapping[str, PduState]
