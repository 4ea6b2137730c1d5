"""A door with a real journal, a fake fleet and a broker that remembers."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.commands import (
    EFFECT_KIND,
    Actor,
    AuthorityPolicy,
    CommandKeeper,
    CommandKeys,
    CommandService,
    Delivery,
    OutcomeInbox,
)
from controller.fleet.model import Device, RecordIdentity
from controller.journal import Dispatcher, Journal
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.actions import VERBS
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, GatewayUnavailable
from shared.site import Feeder, SafetyLimits, Site
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Command, OutcomeBatch, OutcomeRow, SitePlan
from shared.wire.event import DeviceRecord

ANN = Actor("ann", "session-a")
SITE = "tx1"


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class FakeFleet:
    """Miners m-0 … on node n1, m-100 … on n2; PDU p-1; m-dumb can only be read."""

    def __init__(self, miners: int) -> None:
        safety = SafetyLimits(allowed_pools=("stratum+tcp://pool.example",))
        self.sites = {SITE: Site(id=SITE, name="T", feeder=(Feeder(id="f", kind="f"),), safety=safety)}
        self.devices: dict[str, Device] = {}
        for number in range(miners):
            self.add(f"m-{number}", "n1" if number < 100 or miners > 200 else "n2", tuple(VERBS))
        self.add("p-1", "n1", ("switch_outlet",), curve=())
        self.add("m-dumb", "n1", ("read_now",))
        self.add("m-plain", "n1", tuple(VERBS), curve=())
        self.add("m-nominal", "n1", tuple(VERBS), curve=((3500, 110.0),))

    def add(self, device_id: str, node: str, verbs: tuple[str, ...], curve=((1000, 30.0), (3500, 110.0))) -> None:
        record = DeviceRecord(device_id=device_id, kind="miner", family="x", verbs=verbs, curve=curve)
        record = msgspec.structs.replace(record, confirm_within_s={"sleep": 60.0})
        self.devices[device_id] = Device(site=SITE, node=node, record=record, epoch="e", seq=1, changed_at_ms=0)

    def site(self, site: str) -> Site | None:
        return self.sites.get(site)

    def device(self, site: str, device_id: str) -> Device | None:
        return self.devices.get(device_id) if site == SITE else None


class FakeBroker:
    def __init__(self) -> None:
        self.commands: list[tuple[str, str, bytes]] = []
        self.plans: list[tuple[str, str, bytes]] = []
        self.down = False

    async def publish_command(self, site: str, node: str, sealed: bytes) -> None:
        self._check()
        self.commands.append((site, node, sealed))

    async def publish_plan(self, site: str, node: str, sealed: bytes) -> None:
        self._check()
        self.plans.append((site, node, sealed))

    def _check(self) -> None:
        if self.down:
            raise GatewayUnavailable("the broker is away")


class Door:
    """All parts wired as the controller wires them, over one journal file."""

    def __init__(self, store: SqliteJournal, clock: FakeClock, fleet: FakeFleet, policy: AuthorityPolicy) -> None:
        self.store, self.clock, self.fleet = store, clock, fleet
        self.keys = CommandKeys(SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33))))
        self.journal = Journal(store, clock)
        self.broker = FakeBroker()
        self.service = CommandService(self.journal, fleet, self.keys, clock, policy)
        self.inbox = OutcomeInbox(self.journal, self.service)
        self.keeper = CommandKeeper(self.journal, self.service, store, clock)
        deliver = Delivery(self.broker, clock).deliver
        self.dispatcher = Dispatcher(self.journal, SqliteOutbox(store), EFFECT_KIND, deliver, clock)
        self._seq = 0

    async def order(self, *device_ids: str, action=None, actor: Actor = ANN, **options):
        """As a person who types what the preview names."""
        orders = [(device_id, action or VERBS["sleep"](), None) for device_id in device_ids]
        options = {"reason": "test", "expires_in_s": 60.0, "typed": str(len(set(device_ids))), **options}
        return await self.service.issue(SITE, orders, actor=actor, **options)

    async def refused(self, call) -> str:
        with pytest.raises(Denied) as denied:
            await call
        return denied.value.rule

    def trusted(self) -> Mapping[str, object]:
        return {key_id(key.verify_key): key.verify_key for key in (self.keys.command, self.keys.approval)}

    def opened(self) -> list[tuple[Command, tuple[str, ...]]]:
        """What the broker was given, as a node reads it."""
        return [unseal(DOMAIN, sealed, self.trusted(), Command) for _, _, sealed in self.broker.commands]

    def opened_plans(self) -> list[SitePlan]:
        return [unseal(PLAN_DOMAIN, sealed, self.trusted(), SitePlan)[0] for _, _, sealed in self.broker.plans]

    async def say(self, command_id: str, *rows: tuple, node: str = "n1", part: int = 1) -> RecordIdentity:
        """Rows as (device, verb, state, rule)."""
        self._seq += 1
        record = RecordIdentity("epoch", self._seq)
        batch = OutcomeBatch(command_id=f"{command_id}.{part}", counter=1, rows=tuple(map(outcome, rows)))
        await self.inbox.handle(SITE, node, batch, record)
        return record

    async def states(self, command_id: str) -> dict[str, str]:
        view = await self.service.view(command_id)
        return {order.device_id: order.state.value for order in view.orders}


def outcome(row: tuple) -> OutcomeRow:
    device_id, verb, state, *rule = row
    return OutcomeRow(device_id=device_id, verb=verb, state=state, at_ms=1, rule=rule[0] if rule else "")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def miners() -> int:
    return 200


@pytest.fixture
def fleet(miners: int) -> FakeFleet:
    return FakeFleet(miners)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteJournal]:
    async with SqliteJournal(path) as opened:
        yield opened


@pytest.fixture
def policy() -> AuthorityPolicy:
    return AuthorityPolicy()


@pytest.fixture
def door(store: SqliteJournal, clock: FakeClock, fleet: FakeFleet, policy: AuthorityPolicy) -> Door:
    return Door(store, clock, fleet, policy)
