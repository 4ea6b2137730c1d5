"""A cycle on a disk that fails, hangs or comes back: decisions go on, the trouble is told past the disk."""

import asyncio

import msgspec
import pytest

from agent.site.autonomy.plan import Autonomy
from agent.site.discovery.record import never_read
from agent.site.roster import Known
from agent.site.safety import Demand, Interlocks
from agent.site.telemetry.cycle import Cycle
from agent.site.telemetry.live import Live
from agent.site.telemetry.surroundings import Surroundings
from shared.clock import instant
from shared.errors import StorageUnavailable
from shared.site import miner_id
from shared.wire.event import DeviceRecord, Event, EventBatch
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample, TelemetryBatch
from tests.agent.site.scene import ManualClock, good_meter, good_reading, small_site


class Disk:
    """Stores what it is given, unless it is `broken` or `hangs`."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.stored: list[msgspec.Struct] = []

    async def store(self, _kind: RecordKind, message: msgspec.Struct, _samples: int) -> int:
        await self.answers.wait()
        if self.broken is not None:
            raise self.broken
        self.stored.append(message)
        return len(self.stored)

    async def host(self, _image: object, _cycle_ms: float) -> HostSample:
        await self.store(RecordKind.TELEMETRY, TelemetryBatch(), 0)
        return HostSample(0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0)

    def alarms(self) -> list[bool]:
        batches = [message for message in self.stored if isinstance(message, EventBatch)]
        return [event.active for batch in batches for event in batch.events if event.code == "storage.failed"]


class Heart:
    """A cycle by hand on a site of 45 kW against 40 kW; `line_up` says whether the broker is there."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.disk, self.line_up = clock, Disk(), True
        self.demands: list[Demand] = []
        self.shouted: list[Event] = []
        self.kept: list[tuple[tuple[str, str], bool, int]] = []
        self.latest: list[TelemetryBatch] = []
        self.site = small_site()
        self._live = Live(map(never_read, self.site.placement))
        self._number = 0
        around = Surroundings(
            store=self.disk.store,
            urgent=self._shout,
            obey=self._obey,
            plan=lambda: None,
            silent_s=lambda: 0.0,
            trusted_ms=clock.now_ms,
            host=self.disk.host,
            inventory=lambda: None,
            inventory_told=lambda _message: None,
            latest=self.latest.append,
            alive=lambda _text: None,
            boot_id="boot",
            keep_standing=self._keep,
        )
        self.cycle = Cycle(self._live, Interlocks(self.site), Autonomy(None), around, clock, 1.0)

    async def beat(self, seconds: float = 1.0, *, told: bool = True) -> None:
        """Everything is read and a cycle runs, `seconds` after the last."""
        self.clock.advance(seconds)
        self._number += 1
        for placed in self.site.placement:
            known = Known(DeviceRecord(miner_id(placed.mac), "miner", "fake"), None, placement=placed)
            self._live.miner_read(known, instant(self.clock), good_reading(power_w=3_000.0 + self._number))
        meter = Known(DeviceRecord("m-site", "meter", "fake"), None)
        self._live.meter_read(meter, instant(self.clock), good_meter(power_w=45_000.0 + self._number))
        await self.cycle.once(self._number)
        if told:
            await self.cycle.telling.finished()

    async def _keep(self, raised: dict[tuple[str, str], str], ended: list[tuple[str, str]]) -> None:
        stored = [event.active for batch in self.disk.stored if isinstance(batch, EventBatch) for event in batch.events]
        self.kept += [(key, True, len(stored)) for key in raised] + [(key, False, len(stored)) for key in ended]

    def _shout(self, batch: EventBatch) -> bool:
        self.shouted += batch.events if self.line_up else ()
        return self.line_up

    async def _obey(self, demands: list[Demand]) -> None:
        self.demands += demands


@pytest.fixture
async def heart(clock):
    heart = Heart(clock)
    yield heart
    heart.disk.answers.set()
    await heart.cycle.telling.aclose()


@pytest.mark.parametrize("error", [StorageUnavailable("attempt to write a readonly database"), OSError(30, "EROFS")])
async def test_a_disk_that_cannot_be_written_stops_no_shed_and_is_told_past_it_once(heart, error):
    heart.disk.broken = error
    for _ in range(15):
        await heart.beat()
    assert heart.demands, "the overload was shed"
    assert [(event.code, event.subject, event.active) for event in heart.shouted] == [("storage.failed", "spool", True)]
    assert len(heart.latest) == 15, "the live view goes on"


async def test_the_alarm_waits_for_the_line_and_ends_when_the_disk_stores_again(heart):
    heart.disk.broken, heart.line_up = StorageUnavailable("disk I/O error"), False
    await heart.beat()
    await heart.beat()
    assert not heart.shouted
    heart.line_up = True
    await heart.beat()
    assert len(heart.shouted) == 1
    heart.disk.broken = None
    await heart.beat()
    await heart.beat()
    assert heart.disk.alarms() == [True, False]


async def test_events_wait_for_the_disk_and_are_stored_once(heart):
    heart.disk.broken = StorageUnavailable("disk I/O error")
    heart.cycle.telling.add(Event(1, "discovery.unplaced-miner", "m-1", 0, "not in the file"))
    await heart.beat()
    heart.disk.broken = None
    await heart.beat()
    await heart.beat()
    events = [
        event.code for message in heart.disk.stored if isinstance(message, EventBatch) for event in message.events
    ]
    assert events.count("discovery.unplaced-miner") == 1


async def test_a_disk_that_hangs_holds_up_no_decision_and_is_told(heart):
    heart.disk.answers.clear()
    for _ in range(15):
        await heart.beat(told=False)
    assert heart.demands
    await heart.beat(told=False)
    assert [event.code for event in heart.shouted] == ["storage.failed"]
    heart.disk.answers.set()
    await heart.beat()
    await heart.beat()
    await heart.beat()
    assert heart.disk.alarms() == [True, False]


async def test_an_alarm_is_remembered_before_it_is_told_and_forgotten_after_its_end_was(heart):
    """A power cut in between repeats an end that nobody misses, never a beginning that nobody ends."""
    await heart.beat()  # the overload of the site is told here
    before = len(heart.kept)
    told = [event for message in heart.disk.stored if isinstance(message, EventBatch) for event in message.events]
    heart.cycle.telling.add(Event(1, "device.fault", "m-1", 3, "fan"), Event(1, "discovery.x", "m-1", 0, "a notice"))
    await heart.beat()
    heart.cycle.telling.add(Event(1, "device.fault", "m-1", 3, "fan", active=False))
    await heart.beat()
    key = ("device.fault", "m-1")
    assert heart.kept[before:] == [(key, True, len(told)), (key, False, len(told) + 3)]


async def test_a_ledger_that_fails_keeps_no_event_from_being_told(heart):
    async def broken(_raised, _ended):
        raise StorageUnavailable("commands.db is not open")

    heart.cycle.telling._around = msgspec.structs.replace(heart.cycle.telling._around, keep_standing=broken)
    heart.cycle.telling.add(Event(1, "device.fault", "m-1", 3, "fan"))
    await heart.beat()
    told = [event for message in heart.disk.stored if isinstance(message, EventBatch) for event in message.events]
    assert "device.fault" in [event.code for event in told]


async def test_a_failure_that_an_earlier_life_told_past_the_disk_is_cleared_once(heart):
    for _ in range(3):
        await heart.beat()
    assert heart.disk.alarms() == [False]
