"""A site of sixty miners at work: every service is the real one, only devices, broker and time are played."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest
from nacl.signing import SigningKey

from controller.api import build
from controller.commands import Actor as Sender
from controller.commands import AuthorityPolicy, CommandKeys, CommandService, Origin, OutcomeInbox
from controller.fleet import AlarmDesk, FleetService, RecordIdentity
from controller.gateways.prices import Hashprice, PriceSeries, SeriesPrices
from controller.ingest.model import Group, RecordArrival
from controller.journal import Journal
from controller.mining.dispatch import DispatchPorts, DispatchService, DispatchSettings
from controller.mining.dispatch.pending import Patience
from controller.mining.energy import CurtailmentLedger
from controller.mining.fleet import FleetTwin
from controller.operations import LiveOperations, Services
from controller.operations.decision_book import DecisionBook
from controller.people.model import Actor, Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.people import SqlitePeople
from controller.storage.sqlite.relations import SqliteRelations
from controller.storage.sqlite.relations_event import SqliteEvents
from controller.storage.sqlite.telemetry_reader import TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from shared.quality import Quality, pack_qualities
from shared.site import Feeder, Instrument, Placement, Site, miner_id
from shared.states import DeviceKind, OpState, PowerSource, Reach
from shared.wire.command import OutcomeBatch, OutcomeRow
from shared.wire.event import DeviceRecord, Event, EventBatch, Inventory
from shared.wire.record import Hello, RecordKind
from shared.wire.telemetry import (
    BOARD_FIELDS,
    METER_FIELDS,
    MINER_FIELDS,
    BoardTable,
    HostSample,
    MeterTable,
    MinerTable,
    TelemetryBatch,
)

SITE = "tx1"
NODE = "edge-1"
START_MS = 1_700_000_000_000
COUNT = 60
MACS = tuple(f"02:00:00:00:00:{number:02x}" for number in range(COUNT))
MINERS = tuple(miner_id(mac) for mac in MACS)
CURVE = ((2_000, 80.0), (3_000, 110.0))
VERBS = ("sleep", "wake", "set_power_limit", "restart", "locate", "read_now", "set_pools")
FANS_W = 5_000.0
INTERVAL_MS = 3_600_000
PASSWORD = "correct horse battery"


def person(name: str, role: Role = Role.OPERATOR) -> Actor:
    return Actor(name=name, permissions=role.permissions, key=f"session-{name}")


ANNA, OTTO, VERA = person("anna"), person("otto"), person("vera", Role.VIEWER)
ROBOT = Actor(name="program robot", permissions=Role.OPERATOR.permissions, key="token", program=True, created_by="otto")


class FakeClock:
    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


def site_file() -> Site:
    """A metered connection of 300 kW, three containers of 20 miners below it; only c1 has a meter of its own."""
    return Site(
        id=SITE,
        name="Texas 1",
        time_zone="America/Chicago",
        feeder=(
            Feeder(id="main", kind="site", name="Grid", limit_w=300_000, meter="m-main", unmetered_w=int(FANS_W)),
            Feeder(id="f1", kind="container", parent="main", limit_w=70_000, meter="m-c1"),
            Feeder(id="f2", kind="container", parent="main", limit_w=70_000),
            Feeder(id="f3", kind="container", parent="main"),
        ),
        meter=(
            Instrument(id="m-main", profile="sdm630", address="127.0.0.1", name="Grid meter"),
            Instrument(id="m-c1", profile="sdm630", address="127.0.0.1", unit=2),
        ),
        placement=tuple(
            Placement(
                mac=mac, feeder=f"f{n // 20 + 1}", container=f"c{n // 20 + 1}",
                rack=1, shelf=n % 20 // 5 + 1, slot=n % 5 + 1,
            )
            for n, mac in enumerate(MACS)
        ),
    )  # fmt: skip


@dataclass
class Machine:
    state: OpState = OpState.HASHING
    power_w: float | None = 3_000.0
    limit_w: float | None = 3_000.0
    hashrate_ths: float | None = 110.0
    chip_temp_c: float = 60.0
    boards_hashing: float = 3.0
    reach: Reach = Reach.UP

    def sleep(self) -> None:
        self.state, self.power_w, self.hashrate_ths, self.boards_hashing = OpState.SLEEPING, 25.0, 0.0, 3.0


class DoorOrders:
    """Dispatch's way to the power door, as the composition root wires it."""

    def __init__(self, commands: CommandService) -> None:
        self._commands = commands

    async def issue(self, site, orders, *, reason, decision_id, expires_in_s) -> str:
        sender = Sender(name="dispatch", session=decision_id, origin=Origin.DISPATCH)
        handle = await self._commands.issue(site, orders, reason=reason, actor=sender, expires_in_s=expires_in_s)
        return handle.command_id


@dataclass
class LiveSite:
    """All parts, and a node that reports `machines` cycle by cycle."""

    clock: FakeClock
    journal: Journal
    fleet: FleetService
    desk: AlarmDesk
    past: SqliteEvents
    store: SqliteTelemetry
    policy: AuthorityPolicy
    machines: dict[str, Machine] = field(default_factory=lambda: {miner: Machine() for miner in MINERS})
    meters_silent: bool = False
    cycle: int = 0

    def __post_init__(self) -> None:
        self.keys = CommandKeys(SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33))))
        self._seq = count(1)
        self.wire()

    def wire(self) -> None:
        """What a controller makes at its start; called again it is a restart on the same files."""
        self.twin = FleetTwin(self.clock)
        self.commands = CommandService(self.journal, self.fleet, self.keys, self.clock, self.policy)
        self.inbox = OutcomeInbox(self.journal, self.commands)
        series = PriceSeries(
            "ERCOT west", tuple(START_MS + n * INTERVAL_MS for n in range(24)), (30.0,) * 24, INTERVAL_MS
        )
        self.prices = SeriesPrices(series, lambda: Hashprice(50.0, START_MS))
        self.ledger = CurtailmentLedger()
        self.told: list[tuple[str, str, str]] = []
        self.decisions = DecisionBook(self.journal, lambda *told: self.told.append(told))
        ports = DispatchPorts(
            twin=self.twin, prices=self.prices, caps=self.ledger, holds=self.commands.holds,
            orders=DoorOrders(self.commands), decisions=self.decisions, clock=self.clock,
        )  # fmt: skip
        self.dispatch = DispatchService(SITE, ports, DispatchSettings(patience=Patience(dwell_s=0.0)))
        self.live = LiveOperations(
            Services(
                clock=self.clock, twin=self.twin, fleet=self.fleet, alarms=self.desk, commands=self.commands,
                events=self.past,
                journal=self.journal, telemetry=TelemetryReader(self.store), prices=self.prices, ledger=self.ledger,
                dispatch={SITE: self.dispatch}, decisions=self.decisions, policy=self.policy,
            )
        )  # fmt: skip
        self.ports = self.live.ports

    async def enrol(self) -> None:
        record = RecordIdentity("epoch", next(self._seq))
        inventory = Inventory(site=site_file(), devices=tuple(map(described, MINERS)))
        hello = Hello(
            version=1, epoch="epoch", lowest_seq=1, highest_seq=9, rows=4, boot_id="b", role="site", software="0.1.0",
            sent_at_ms=self.clock.ms, oldest_ms=self.clock.ms - 2_000,
        )  # fmt: skip
        await self.fleet.handle_hello(SITE, NODE, hello)
        await self.fleet.handle_inventory(SITE, NODE, inventory, record)
        self.configure()

    def configure(self) -> None:
        site = self.fleet.site(SITE)
        assert site is not None
        self.twin.configure(site, [device.record for device in self.fleet.devices(SITE).values()])

    def report(self, after_ms: int = 1_000) -> TelemetryBatch:
        """One cycle a little later."""
        self.clock.ms += after_ms
        self.cycle += 1
        now = self.clock.ms
        batch = TelemetryBatch(
            cycle=self.cycle,
            sampled_at_ms=now,
            monotonic_s=now / 1000,
            boot_id="b",
            miners=self._miners(now),
            boards=boards(MINERS[0], now),
            meters=MeterTable() if self.meters_silent else self._meters(now),
            host=HostSample(now, 11.0, 40.0, 90.0, 41_200.0, 3, 1.5, 2.0, 4.0, 300.0, 58, 60, 1, 1.8),
        )
        self.twin.apply(SITE, NODE, batch)
        self.live.hosts.apply(SITE, NODE, batch)
        self.fleet.contact(SITE, NODE)
        return batch

    def keep(self, batch: TelemetryBatch) -> None:
        """Store a cycle as ingest does."""
        arrival = RecordArrival(SITE, NODE, "epoch", batch.cycle, RecordKind.TELEMETRY, b"", batch)
        self.store.store(Group([arrival], [], []), self.clock.ms)

    async def say(self, command_id: str, *rows: tuple[str, str, str], evidence: str = "") -> None:
        """Outcomes of (device, verb, state) from the node."""
        told = tuple(
            OutcomeRow(device, verb, state, self.clock.ms, observed="seen", evidence=evidence)
            for device, verb, state in rows
        )
        batch = OutcomeBatch(command_id=f"{command_id}.1", counter=1, rows=told)
        await self.inbox.handle(SITE, NODE, batch, RecordIdentity("epoch", 1_000 + next(self._seq)))

    async def raise_alarms(
        self,
        *devices: str,
        code: str = "device.silent",
        text: str = "does not answer",
        active: bool = True,
        priority: int = 3,
    ) -> None:
        events = tuple(Event(self.clock.ms, code, device, priority, text, active) for device in devices)
        await self.fleet.handle_events(
            SITE, NODE, EventBatch(events=events), RecordIdentity("e", 5_000 + next(self._seq))
        )

    def load_w(self) -> float:
        return sum(machine.power_w or 0.0 for machine in self.machines.values()) + FANS_W

    def _miners(self, now: int) -> MinerTable:
        seen = {device: machine for device, machine in self.machines.items() if machine.reach is Reach.UP}
        table = MinerTable(device_id=list(seen), observed_at_ms=[now] * len(seen))
        for machine in seen.values():
            values = {
                "hashrate_ths": machine.hashrate_ths,
                "power_w": machine.power_w,
                "power_limit_w": machine.limit_w,
                "chip_temp_c": machine.chip_temp_c,
                "boards_hashing": machine.boards_hashing,
                "boards_expected": 3.0,
            }
            table.reach.append(machine.reach)
            table.op_state.append(machine.state)
            table.power_source.append(PowerSource.MEASURED_INPUT)
            table.quality.append(qualities(MINER_FIELDS, values))
            for name in MINER_FIELDS:
                getattr(table, name).append(values.get(name))
        return table

    def _meters(self, now: int) -> MeterTable:
        first_w = sum(self.machines[device].power_w or 0.0 for device in MINERS[:20])
        table = MeterTable(device_id=["m-main", "m-c1"], observed_at_ms=[now] * 2, reach=[Reach.UP] * 2)
        for power_w in (self.load_w(), first_w):
            values = {"power_w": power_w, "voltage_l1_v": 240.0, "power_factor": 0.98, "energy_import_wh": 1e9}
            table.quality.append(qualities(METER_FIELDS, values))
            for name in METER_FIELDS:
                getattr(table, name).append(values.get(name))
        return table


def qualities(fields: tuple[str, ...], values: dict[str, float | None]) -> int:
    return pack_qualities(Quality.ABSENT if values.get(name) is None else Quality.GOOD for name in fields)


def boards(device_id: str, now: int) -> BoardTable:
    """Three boards, the second with dead chips."""
    table = BoardTable(device_id=[device_id] * 3, slot=[0, 1, 2], observed_at_ms=[now] * 3)
    for slot in range(3):
        values = {"hashrate_ths": 36.0, "chips_good": 107.0 if slot == 1 else 110.0, "chips_expected": 110.0}
        table.quality.append(qualities(BOARD_FIELDS, values))
        for name in BOARD_FIELDS:
            getattr(table, name).append(values.get(name))
    return table


def described(device_id: str) -> DeviceRecord:
    return DeviceRecord(
        device_id=device_id, kind=DeviceKind.MINER, family="antminer", model="S21", firmware="2024.11",
        serial=f"SN-{device_id[-2:]}", address=f"10.0.0.{int(device_id[-2:], 16) + 1}", verbs=VERBS, curve=CURVE,
        sleep_w=25, confirm_within_s={"sleep": 20.0},
    )  # fmt: skip


@pytest.fixture
def policy() -> AuthorityPolicy:
    """A small deployment: more than ten devices are typed, more than 100 kW needs two people."""
    return AuthorityPolicy(dialog_devices=10, second_person_power_w=100_000)


@pytest.fixture
async def live(tmp_path: Path, policy: AuthorityPolicy) -> AsyncIterator[LiveSite]:
    clock = FakeClock()
    async with (
        SqliteJournal(tmp_path / "journal.db") as events,
        SqliteRelations(tmp_path / "relations.db") as relations,
        SqliteEvents(tmp_path / "relations.db") as past,
        SqliteTelemetry(tmp_path / "telemetry.db") as telemetry,
    ):
        journal = Journal(events, clock)
        desk = AlarmDesk(relations, journal, clock)
        site = LiveSite(clock, journal, FleetService(relations, desk, clock), desk, past, telemetry, policy)
        await site.enrol()
        site.report()
        yield site


@pytest.fixture
async def anna(live: LiveSite, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An operator who is signed in, after dispatch has decided once."""
    await live.dispatch.cycle("test")
    async with SqlitePeople(tmp_path / "people.db") as store:
        people = People(store, live.clock, passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
        await people.add_user("anna", PASSWORD, Role.OPERATOR, one_time=False)
        await people.start()
        origin = "http://bes.test"
        transport = httpx.ASGITransport(build(live.ports, people))
        async with httpx.AsyncClient(transport=transport, base_url=origin, headers={"origin": origin}) as client:
            await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
            yield client
