"""A tiny site, a clock that is moved by hand, and readings that say what a test wants."""

import msgspec

from agent.site.devices.image import MeterState, MinerState, ProcessImage, Rating
from agent.site.devices.reading import MeterReading, MinerReading, qualities
from shared.clock import Instant
from shared.quality import Quality
from shared.site import Feeder, Instrument, Placement, SafetyLimits, Site, miner_id
from shared.states import OpState, Reach
from shared.wire.telemetry import METER_FIELDS, MINER_FIELDS


class ManualClock:
    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.ms = now_ms
        self.s = 1_000.0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.s

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)
        self.s += seconds


def at(ms: int) -> Instant:
    """The two clocks in step."""
    return Instant(ms, ms / 1000)


def mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def good_reading(op_state: OpState = OpState.HASHING, **values: float) -> MinerReading:
    quality = qualities(MINER_FIELDS, dict.fromkeys(values, Quality.GOOD))
    return MinerReading(op_state=op_state, quality=quality, **values)


def good_meter(**values: float) -> MeterReading:
    return MeterReading(quality=qualities(METER_FIELDS, dict.fromkeys(values, Quality.GOOD)), **values)


def small_site(miners: int = 6, **limits: object) -> Site:
    """site → c1 → pdu → three legs; miners go round the legs. Legs carry 16 A at 240 V: 3,072 W each."""
    legs = tuple(
        Feeder(id=f"leg{i}", kind="leg", parent="pdu", rating_a=32, voltage_v=240, phases=1, phase=f"L{i}")
        for i in (1, 2, 3)
    )
    return Site(
        id="tx1",
        name="Test",
        feeder=(
            Feeder(id="tx1-main", kind="site", limit_w=40_000, meter="m-site"),
            Feeder(id="c1", kind="container", parent="tx1-main"),
            Feeder(id="pdu", kind="pdu", parent="c1", rating_a=32, voltage_v=415),
            *legs,
        ),
        meter=(Instrument(id="m-site", profile="eastron.sdm630", address="127.0.0.1"),),
        placement=tuple(
            Placement(mac=mac(i), feeder=f"leg{i % 3 + 1}", container="c1", rack=1, shelf=1, slot=i + 1)
            for i in range(miners)
        ),
        safety=SafetyLimits(**limits),
    )


def plugged(site: Site) -> Site:
    """Miner i is on outlet 1 of PDU `pdu-i`."""
    placement = tuple(
        msgspec.structs.replace(placed, pdu=f"pdu-{number}", outlet=1) for number, placed in enumerate(site.placement)
    )
    return msgspec.structs.replace(site, placement=placement)


def image_of(
    site: Site,
    now_ms: int,
    readings: dict[int, MinerReading | None] | None = None,
    site_w: float | None = None,
    max_w: int = 3_500,
) -> ProcessImage:
    """An image in which miner i has readings[i] (None: never read); the site's meter says `site_w`."""
    readings = readings or {}
    miners = {}
    for index, placed in enumerate(site.placement):
        reading = readings.get(index, good_reading(power_w=3_000.0, chip_temp_c=70.0, inlet_temp_c=25.0))
        device_id = miner_id(placed.mac)
        miners[device_id] = MinerState(
            device_id,
            Reach.UP if reading else Reach.TIMEOUT,
            Rating(max_w=max_w, sleep_w=25),
            placed,
            now_ms if reading else None,
            now_ms / 1000 if reading else None,
            reading,
        )
    meters = {}
    if site_w is not None:
        meters["m-site"] = MeterState("m-site", Reach.UP, now_ms, now_ms / 1000, good_meter(power_w=site_w))
    return ProcessImage(1, now_ms, now_ms / 1000, miners, meters, {})


def changed(reading: MinerReading, **values: object) -> MinerReading:
    return msgspec.structs.replace(reading, **values)
