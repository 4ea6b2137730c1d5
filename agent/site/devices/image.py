"""The process image: everything the site knows at one instant, frozen, with the age and reach of each value.

Decisions are made on one image; no value changes in the middle of a decision. What is not known stays unknown here.
Every `…_at_ms` is wall time, for people and for the wire: it may step. Every age is reckoned in monotonic seconds.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from agent.site.devices.reading import MeterReading, MinerReading, PduReading, usable
from shared.site import Placement
from shared.states import OpState, Reach

_REST_FACTOR = 10  # at rest: no more than that many times the draw of the control board,
_REST_SHARE = 0.1  # and than that share of the most it can draw
HIGH_OF_UNKNOWN = 1.5  # mode `high` over `normal` where nobody knows: no maker gives more than 1.3
_WORK_SHARES = (0.4, 1.5)  # of the same: the first step of a ramp, and more than any overshoot


class Draw(Enum):
    """What watts at the wall say of a miner."""

    REST = "rest"
    WORK = "work"


class Rating(msgspec.Struct, frozen=True):
    """What a miner may draw at most and draws asleep, in watts, by its model; the safe guess while nobody measures.

    `max_w` is of mode `normal`, `high_w` of mode `high`: None where its firmware has no such mode. Within `ramp_s` of
    any order it has reached its draw. `known` is False where `max_w` is a guess for any model.
    """

    max_w: int
    sleep_w: int
    ramp_s: float = 600.0
    known: bool = True
    high_w: int | None = None

    def mode_w(self, mode: str | None) -> int:
        """At most, in a mode; at its worst where the mode is not known."""
        if mode == "high":
            return self.high_w or round(HIGH_OF_UNKNOWN * self.max_w)
        return max(self.max_w, self.high_w or 0) if mode is None else self.max_w

    def draw_at(self, power_w: float) -> Draw | None:
        """None between rest and work, beyond what the model can draw, and for a model that is not known."""
        if not self.known:
            return None
        if power_w <= min(_REST_FACTOR * self.sleep_w, _REST_SHARE * self.max_w):
            return Draw.REST
        low, high = _WORK_SHARES
        return Draw.WORK if low * self.max_w <= power_w <= high * self.max_w else None


class OutletSample(msgspec.Struct, frozen=True):
    """Watts that a PDU measured at one outlet; the read that brought them began at `at_s`."""

    at_s: float
    power_w: float


class MinerState(msgspec.Struct, frozen=True):
    """A miner in the image: its last good reading, when that was, and how the last try ended. `since_s`: from when on
    its readings have told the same state.
    """

    device_id: str
    reach: Reach
    rating: Rating
    placement: Placement | None = None
    observed_at_ms: int | None = None
    observed_s: float | None = None
    reading: MinerReading | None = None
    since_s: float | None = None

    def value(self, field: str, now_s: float, max_age_s: float) -> float | None:
        """The value where it is usable and fresh, otherwise None."""
        if self.reading is None or self.observed_s is None or now_s - self.observed_s > max_age_s:
            return None
        return usable(self.reading, field)

    def op_state(self, now_s: float, max_age_s: float) -> OpState:
        """The state where it is fresh, otherwise UNKNOWN."""
        if self.reading is None or self.observed_s is None or now_s - self.observed_s > max_age_s:
            return OpState.UNKNOWN
        return self.reading.op_state


class MeterState(msgspec.Struct, frozen=True):
    device_id: str
    reach: Reach
    observed_at_ms: int | None = None
    observed_s: float | None = None
    reading: MeterReading | None = None

    def value(self, field: str, now_s: float, max_age_s: float) -> float | None:
        """The value where it is usable and fresh, otherwise None."""
        if self.reading is None or self.observed_s is None or now_s - self.observed_s > max_age_s:
            return None
        return usable(self.reading, field)


class PduState(msgspec.Struct, frozen=True):
    device_id: str
    reach: Reach
    observed_at_ms: int | None = None
    observed_s: float | None = None
    reading: PduReading | None = None


class ProcessImage(msgspec.Struct, frozen=True):
    """`outlets` holds the last two samples of each measuring outlet, older first, by PDU and outlet."""

    cycle: int
    sampled_at_ms: int
    sampled_s: float
    miners: Mapping[str, MinerState]
    meters: Mapping[str, MeterState]
    pdus: Mapping[str, PduState]
    outlets: Mapping[tuple[str, int], tuple[OutletSample, ...]] = MappingProxyType({})

    def outlet_of(self, miner: MinerState) -> tuple[OutletSample, ...]:
        """The last samples of the outlet that the site's file places it on; empty where none measures."""
        placed = miner.placement
        if placed is None or placed.pdu is None or placed.outlet is None:
            return ()
        return self.outlets.get((placed.pdu, placed.outlet), ())
