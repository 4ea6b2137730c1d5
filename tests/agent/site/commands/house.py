"""A site whose machines lie, hang and die as they are told, behind the real door."""

import asyncio
from pathlib import Path

from nacl.signing import SigningKey

from agent.site.commands.context import Context
from agent.site.commands.door import Door
from agent.site.commands.ledger import Ledger
from agent.site.commands.outcome import Outcomes
from agent.site.commands.pace import Pace
from agent.site.commands.service import CommandService
from agent.site.commands.trusted_time import TrustedTime
from agent.site.devices.ports import Acknowledgement, Effect, ReadBack
from agent.site.devices.reading import Evidence
from agent.site.roster import Known, Roster
from agent.site.safety import Interlocks
from agent.site.telemetry.live import Live
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import DeviceError
from shared.site import miner_id
from shared.wire.command import DOMAIN, Command, Order, OutcomeBatch
from shared.wire.event import DeviceRecord
from tests.agent.site.scene import good_reading, image_of, mac, small_site

FIRST = miner_id(mac(0))
SECOND = miner_id(mac(1))


class FakeMiner:
    """Does as it is told after `shows_after` read-backs; `fault` is raised by `apply`."""

    family = "fake"
    verbs = frozenset({"sleep", "wake", "set_pools"})

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.shows_after = 1
        self.fault: DeviceError | None = None
        self.effect = Effect.NOT_SHOWN
        self._looks = 0

    async def prepare(self, action):
        return None

    async def apply(self, action):
        self.applied.append(action.verb)
        self._looks = 0
        if self.fault is not None:
            raise self.fault
        return Acknowledgement("OK", (Evidence("write", b"OK"),))

    async def read_back(self, action, before):
        self._looks += 1
        return ReadBack(Effect.SHOWN if self._looks >= self.shows_after else self.effect, f"look {self._looks}")

    async def read_full(self):
        return good_reading(power_w=1_234.0)

    async def aclose(self):
        return None


class House:
    """A command service with six fake miners and two keys; `rows` are the outcomes in order."""

    def __init__(self, folder: Path, operator: SigningKey | None = None) -> None:
        self.operator = operator or SigningKey.generate()
        self.approver, self.thief = SigningKey.generate(), SigningKey.generate()
        self.clock = SystemClock()
        self.synchronised = False
        self.rows: list[tuple[str, str, str, str]] = []
        self.counter = 0
        self.site = small_site()
        self.ledger = Ledger(folder / "commands.db")
        self.ledger.open()
        self.roster = Roster(lambda record: None)
        self.drivers: dict[str, FakeMiner] = {}
        for placed in self.site.placement:
            device_id = miner_id(placed.mac)
            record = DeviceRecord(
                device_id, "miner", "fake", curve=((3_000, 100.0),), sleep_w=25, confirm_within_s={"sleep": 1.0}
            )
            self.drivers[device_id] = FakeMiner()
            self.roster.put_miner(Known(record, self.drivers[device_id], placement=placed))
        self.live = Live()
        self.interlocks = Interlocks(self.site)
        self.image = image_of(self.site, self.clock.now_ms(), site_w=18_000.0, max_w=3_000)
        self.interlocks.observe(self.image)
        self.time = TrustedTime(self.clock, lambda: self.synchronised)
        self.outcomes = Outcomes(self._store, self.ledger, self.clock)
        self._flusher = asyncio.create_task(self.outcomes.run())
        door = Door(
            "tx1",
            "tx1-agent",
            {key_id(self.operator.verify_key): self.operator.verify_key},
            {key_id(self.approver.verify_key): self.approver.verify_key},
            self.ledger,
            self.time,
        )
        context = Context(
            roster=self.roster,
            live=self.live,
            interlocks=self.interlocks,
            outcomes=self.outcomes,
            clock=self.clock,
            image=lambda: self.image,
            image_after=self._at_once,
            heat=lambda device_id: None,
            now_ms=self.time.now_ms,
            keep=self.ledger.keep_replaced,
        )
        self.service = CommandService(door, self.ledger, context, self.time, Pace(100, self.clock), self.drivers)

    async def _at_once(self, monotonic_s: float) -> None:
        """The image stands still."""

    async def _store(self, batch: OutcomeBatch, rows: int) -> int:
        assert rows == len(batch.rows)
        self.rows += [(batch.command_id, row.device_id, str(row.state), row.rule) for row in batch.rows]
        return 0

    def command(self, *orders: Order, **fields: object) -> Command:
        self.counter += 1
        now_ms = self.clock.now_ms()
        values: dict[str, object] = {
            "version": 1,
            "command_id": f"cmd-{self.counter}",
            "site": "tx1",
            "node": "tx1-agent",
            "counter": self.counter,
            "issued_at_ms": now_ms,
            "expires_at_ms": now_ms + 30_000,
            "reason": "test",
            "orders": orders,
        }
        return Command(**(values | fields))

    async def send(self, command: Command, *signers: SigningKey) -> None:
        await self.service.command_received(seal(DOMAIN, command, signers or (self.operator,)))

    async def until(self, *states: str) -> list[tuple[str, str]]:
        """Wait until the last rows are in these states; returns all (state, rule)."""
        async with asyncio.timeout(8):
            while [row[2] for row in self.rows[-len(states) :]] != list(states):
                await asyncio.sleep(0.01)
        return [(row[2], row[3]) for row in self.rows]

    async def aclose(self) -> None:
        await self.service.aclose()
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        self.ledger.close()
