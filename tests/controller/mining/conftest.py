"""A small site: two containers with two racks each, eight miners, meters at the top and at one container."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.mining.fleet import FleetTwin
from shared.quality import Quality, pack_qualities
from shared.site import Feeder, Instrument, Placement, Site, miner_id
from shared.states import DeviceKind, OpState, PowerSource, Reach
from shared.wire.event import DeviceRecord
from shared.wire.telemetry import MINER_FIELDS, MeterTable, MinerTable, OutletTable, TelemetryBatch

START_MS = 1_700_000_000_000
NOW_MS = START_MS + 1_000  # when the first cycle is reported
CURVE = ((2_000, 80.0), (2_600, 98.0), (3_200, 110.0))
MACS = tuple(f"02:00:00:00:00:{number:02x}" for number in range(8))
MINERS = tuple(miner_id(mac) for mac in MACS)
FULL_VERBS = ("sleep", "wake", "set_power_limit", "restart")


@dataclass
class FakeClock:
    now: int = START_MS

    def now_ms(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / 1000


@dataclass
class Machine:
    """One miner as the simulated node reads it; None is "the device does not tell"."""

    state: OpState = OpState.HASHING
    power_w: float | None = 3_200.0
    limit_w: float | None = 3_200.0
    hashrate_ths: float | None = 110.0
    source: PowerSource = PowerSource.MEASURED_INPUT
    reach: Reach = Reach.UP


@dataclass
class Node:
    """Reports machines and meters of the small site, cycle by cycle."""

    twin: FleetTwin
    clock: FakeClock
    machines: dict[str, Machine] = field(default_factory=lambda: {miner: Machine() for miner in MINERS})
    silent: set[str] = field(default_factory=set)
    meter_w: dict[str, float | None] = field(default_factory=dict)
    metered: bool = True
    boot_id: str = "life-1"
    cycle: int = 0

    def report(self, after_ms: int = 1_000) -> int:
        """One cycle a little later; meters show what machines draw and 1 kW, unless `meter_w` says otherwise."""
        self.cycle += 1
        self.clock.now += after_ms
        now = self.clock.now
        batch = TelemetryBatch(
            cycle=self.cycle,
            sampled_at_ms=now,
            monotonic_s=now / 1000,
            boot_id=self.boot_id,
            miners=self._miners(now),
            meters=self._meters(now) if self.metered else MeterTable(),
        )
        return self.twin.apply("tx1", "edge-1", batch)

    def _miners(self, now: int) -> MinerTable:
        seen = {device: machine for device, machine in self.machines.items() if device not in self.silent}
        table = MinerTable(device_id=list(seen), observed_at_ms=[now] * len(seen))
        for machine in seen.values():
            table.reach.append(machine.reach)
            table.op_state.append(machine.state)
            table.power_source.append(machine.source)
            values = {
                "hashrate_ths": machine.hashrate_ths,
                "power_w": machine.power_w,
                "power_limit_w": machine.limit_w,
                "chip_temp_c": 61.0,
            }
            table.quality.append(
                pack_qualities(Quality.ABSENT if values.get(name) is None else Quality.GOOD for name in MINER_FIELDS)
            )
            for name in MINER_FIELDS:
                getattr(table, name).append(values.get(name))
        return table

    def _meters(self, now: int) -> MeterTable:
        drawn = {device: machine.power_w or 0.0 for device, machine in self.machines.items()}
        first = sum(drawn[device] for device in MINERS[:4] if device in drawn)
        shown = {"main": sum(drawn.values()) + 1_000.0, "meter-c1": first, **self.meter_w}
        table = MeterTable(device_id=list(shown), observed_at_ms=[now] * len(shown), reach=[Reach.UP] * len(shown))
        for name in table.__struct_fields__[4:]:
            getattr(table, name).extend([None] * len(shown))
        table.power_w[:] = list(shown.values())
        table.quality[:] = [int(Quality.ABSENT if value is None else Quality.GOOD) for value in shown.values()]
        return table


def small_site(site_limit_w: int = 30_000) -> Site:
    return Site(
        id="tx1",
        name="Test",
        feeder=(
            Feeder(id="site", kind="site", limit_w=site_limit_w, meter="main", unmetered_w=1_000),
            Feeder(id="c1", kind="container", parent="site", limit_w=14_000, meter="meter-c1"),
            Feeder(id="c2", kind="container", parent="site", limit_w=14_000),
            *(Feeder(id=f"b{n}", kind="breaker", parent=f"c{n // 2 + 1}", limit_w=7_000) for n in range(4)),
        ),
        meter=(
            Instrument(id="main", profile="sdm630", address="127.0.0.1"),
            Instrument(id="meter-c1", profile="sdm630", address="127.0.0.1", unit=2),
        ),
        pdu=(Instrument(id="pdu-1", profile="raritan", address="127.0.0.1"),),
        placement=tuple(
            Placement(
                mac=mac, feeder=f"b{n // 2}", container=f"c{n // 4 + 1}", rack=n // 2 + 1, shelf=1, slot=n % 2 + 1,
                pdu="pdu-1" if n >= 6 else None, outlet=n - 5 if n >= 6 else None,
            )
            for n, mac in enumerate(MACS)
        ),
    )  # fmt: skip


def record(device_id: str, verbs: tuple[str, ...] = FULL_VERBS, curve: tuple = CURVE) -> DeviceRecord:
    return DeviceRecord(
        device_id=device_id, kind=DeviceKind.MINER, family="antminer", model="S19j Pro", verbs=verbs, curve=curve,
        sleep_w=25,
    )  # fmt: skip


def outlets(now: int, on: tuple[int | None, ...], power_w: tuple[float | None, ...]) -> TelemetryBatch:
    """A batch of the PDU's first outlets."""
    count = len(on)
    quality = [
        pack_qualities([Quality.GOOD if state is not None else 0, Quality.GOOD if watts is not None else 0])
        for state, watts in zip(on, power_w, strict=True)
    ]
    nothing: list[None] = [None] * count
    table = OutletTable(
        device_id=["pdu-1"] * count, outlet=list(range(1, count + 1)), observed_at_ms=[now] * count,
        reach=[Reach.UP] * count, quality=quality, on=list(on), power_w=list(power_w),
        current_a=list(nothing), voltage_v=list(nothing), energy_wh=list(nothing),
    )  # fmt: skip
    return TelemetryBatch(sampled_at_ms=now, monotonic_s=now / 1000, boot_id="life-1", outlets=table)


PDU = DeviceRecord(device_id="pdu-1", kind=DeviceKind.PDU, family="raritan", verbs=("switch_outlet",))
MakeNode = Callable[..., Node]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def node(clock: FakeClock) -> Node:
    """The site, configured and reported once: all eight miners hash at 3,200 W."""
    twin = FleetTwin(clock)
    twin.configure(small_site(), [*(record(device) for device in MINERS), PDU])
    at_work = Node(twin, clock)
    at_work.report()
    return at_work
