"""What the outlets of measuring PDUs last said, and whether it bears out what the machines on them say of themselves.

A miner that repeats an old answer, or stands on another outlet than the site's file says, is unmasked here: nobody
knows what it does while its outlet draws otherwise.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from agent.site.devices.image import Draw, OutletSample
from agent.site.devices.ports import Miner
from agent.site.devices.reading import MinerReading, PduReading, quality_of
from agent.site.roster import Known
from shared.quality import Quality
from shared.states import OpState

SAMPLES = 2
FRESH_S = 15.0
_NEVER_DRAWN = {OpState.SLEEPING: Draw.WORK, OpState.STOPPED_USER: Draw.WORK, OpState.HASHING: Draw.REST}

Key = tuple[str, int]


class Outlets:
    """Remembers per outlet its last two good samples, and per miner since when it has said what it says."""

    def __init__(self) -> None:
        self._samples: dict[Key, tuple[OutletSample, ...]] = {}
        self._claims: dict[str, tuple[OpState, float]] = {}

    def read(self, pdu_id: str, began_s: float, reading: PduReading) -> None:
        """Take the good watts of a reading that began at `began_s`."""
        for outlet in reading.outlets:
            if outlet.power_w is not None and quality_of(outlet, "power_w") is Quality.GOOD:
                key = (pdu_id, outlet.outlet)
                sample = OutletSample(began_s, outlet.power_w)
                self._samples[key] = (*self._samples.get(key, ()), sample)[-SAMPLES:]

    def frozen(self) -> Mapping[Key, tuple[OutletSample, ...]]:
        """A copy that later samples do not touch."""
        return MappingProxyType(self._samples.copy())

    def says_since_s(self, device_id: str) -> float | None:
        """From when on the miner has told the state that it tells."""
        claim = self._claims.get(device_id)
        return None if claim is None else claim[1]

    def judged(self, known: Known[Miner], now_s: float, reading: MinerReading) -> tuple[str, MinerReading]:
        """With a fault and UNKNOWN where both samples since it says so, neither of them old, are against it."""
        claim, since_s = self._claims.get(known.device_id, (None, now_s))
        if claim is not reading.op_state:
            since_s = now_s
        self._claims[known.device_id] = (reading.op_state, since_s)
        denied = _NEVER_DRAWN.get(reading.op_state)
        placed = known.placement
        if denied is None or placed is None or placed.pdu is None or placed.outlet is None:
            return "", reading
        oldest_s = max(since_s, now_s - FRESH_S)
        samples = [s for s in self._samples.get((placed.pdu, placed.outlet), ()) if s.at_s > oldest_s]
        rating = known.rating
        if [rating.draw_at(sample.power_w) for sample in samples] != [denied] * SAMPLES:
            return "", reading
        said = reading.op_state.name.lower()
        fault = f"outlet.disagrees: it says {said}, and its outlet {placed.pdu}/{placed.outlet} is at {denied.value}"
        return fault, msgspec.structs.replace(reading, op_state=OpState.UNKNOWN)
