"""What the agent has told so far, as a controller would hold it: devices, watts, the site's meter, outcomes."""

import threading
from collections.abc import Mapping

import msgspec

from benchmarks.sink import Body
from shared.site import Placement, Site, miner_id
from shared.states import TERMINAL, DeviceKind, OpState, OutcomeState, Reach
from shared.wire.command import OutcomeBatch
from shared.wire.event import DeviceRecord, Inventory
from shared.wire.telemetry import MinerTable, OutletTable, TelemetryBatch


class MeterReading(msgspec.Struct, frozen=True):
    observed_at_ms: int
    arrived_at_ms: int
    power_w: float


class Candidate(msgspec.Struct, frozen=True):
    """A miner that can be put to sleep now, and the watts that this saves."""

    device_id: str
    family: str
    saves_w: float


class View:
    """Filled by the sink's thread, read by the benchmark."""

    def __init__(self, site: Site) -> None:
        self._lock = threading.Lock()
        self._placements: Mapping[str, Placement] = {miner_id(placed.mac): placed for placed in site.placement}
        self._site_meter = next(feeder.meter for feeder in site.feeder if feeder.parent is None)
        self._records: dict[str, DeviceRecord] = {}
        self._states: dict[str, tuple[Reach, OpState, float | None]] = {}
        self._outlet_w: dict[tuple[str, int], float] = {}
        self._steps: dict[str, dict[str, int]] = {}
        self._words: dict[str, str] = {}
        self._meter: list[MeterReading] = []

    def received(self, body: Body, at_ms: int) -> None:
        with self._lock:
            if isinstance(body, Inventory):
                self._records |= {record.device_id: record for record in body.devices}
            elif isinstance(body, OutcomeBatch):
                for row in body.rows:
                    self._steps.setdefault(row.device_id, {}).setdefault(row.state, row.at_ms)
                    self._words[row.device_id] = f"{row.state} {row.rule} {row.observed or row.detail}"
            elif isinstance(body, TelemetryBatch):
                self._take_miners(body.miners)
                self._take_outlets(body.outlets)
                for name, observed_at_ms, power_w in zip(
                    body.meters.device_id, body.meters.observed_at_ms, body.meters.power_w, strict=True
                ):
                    if name == self._site_meter and power_w is not None:
                        self._meter.append(MeterReading(observed_at_ms, at_ms, power_w))

    def meter(self) -> list[MeterReading]:
        """Readings of the site's meter in the order they arrived."""
        with self._lock:
            return list(self._meter)

    def complete(self) -> bool:
        """Has every miner been read, and every outlet that feeds one?"""
        with self._lock:
            plugs = {(placed.pdu, placed.outlet) for placed in self._placements.values() if placed.pdu is not None}
            return self._states.keys() >= self._placements.keys() and self._outlet_w.keys() >= plugs

    def reach(self, device_id: str) -> Reach:
        with self._lock:
            return self._states[device_id][0]

    def outlets_w(self) -> float:
        """What all outlets give out."""
        with self._lock:
            return sum(self._outlet_w.values())

    def candidates(self) -> list[Candidate]:
        """Miners that answer, hash and know how to sleep; watts by their outlet, else by themselves."""
        with self._lock:
            found = []
            for name, (reach, op_state, own_w) in self._states.items():
                record, placed = self._records.get(name), self._placements.get(name)
                if record is None or placed is None or record.kind != DeviceKind.MINER or "sleep" not in record.verbs:
                    continue
                outlet_w = self._outlet_w.get((placed.pdu, placed.outlet)) if placed.pdu and placed.outlet else None
                drawn_w = own_w if outlet_w is None else outlet_w
                if reach is Reach.UP and op_state is OpState.HASHING and drawn_w is not None:
                    found.append(Candidate(name, record.family, drawn_w - record.sleep_w))
            return found

    def at_ms(self, state: OutcomeState) -> dict[str, int]:
        """When each device came to that state, by the agent's clock."""
        with self._lock:
            return {name: steps[state] for name, steps in self._steps.items() if state in steps}

    def ended(self) -> dict[str, OutcomeState]:
        """The final state of each device that has one."""
        with self._lock:
            return {name: state for name, steps in self._steps.items() for state in TERMINAL if state in steps}

    def told(self, device_id: str) -> str:
        """The last step of a device's order, in words."""
        with self._lock:
            return self._words.get(device_id, "nothing")

    def _take_miners(self, table: MinerTable) -> None:
        for name, reach, op_state, power_w in zip(
            table.device_id, table.reach, table.op_state, table.power_w, strict=True
        ):
            self._states[name] = (Reach(reach), OpState(op_state), power_w)

    def _take_outlets(self, table: OutletTable) -> None:
        for name, outlet, power_w in zip(table.device_id, table.outlet, table.power_w, strict=True):
            if power_w is not None:
                self._outlet_w[name, outlet] = power_w


def choose(candidates: list[Candidate], reduction_w: float) -> list[Candidate]:
    """Largest draw first; the last one is the smallest that still fills what is left."""
    chosen: list[Candidate] = []
    left_w = reduction_w
    rest = sorted(candidates, key=lambda one: -one.saves_w)
    while rest and left_w > 0:
        enough = [one for one in rest if one.saves_w >= left_w]
        best = enough[-1] if enough else rest[0]
        chosen.append(best)
        rest.remove(best)
        left_w -= best.saves_w
    return chosen
