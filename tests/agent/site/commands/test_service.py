"""Orders from sealed bytes to their ends, on machines that lie, hang and die."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.site.commands.door import Door
from agent.site.commands.execution import Context
from agent.site.commands.ledger import Ledger
from agent.site.commands.outcome import Outcomes
from agent.site.commands.pace import Pace
from agent.site.commands.service import CommandService
from agent.site.commands.trusted_time import TrustedTime
from agent.site.devices.ports import Acknowledgement, Effect, ReadBack
from agent.site.devices.reading import Evidence
from agent.site.roster import Known, Roster
from agent.site.safety import Demand, Interlocks
from agent.site.telemetry.live import Live
from shared.actions import Pool, ReadNow, SetPools, Sleep, Wake
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import DeviceError, DeviceTimeout, WritesDisabled
from shared.site import miner_id
from shared.states import OpState
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Command, Order, OutcomeBatch, SitePlan
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
        self.time = TrustedTime(self.clock)
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
            heat=lambda device_id: None,
            now_ms=self.time.now_ms,
            keep=self.ledger.keep_replaced,
        )
        self.service = CommandService(door, self.ledger, context, self.time, Pace(100, self.clock))

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


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path)
    yield house
    await house.aclose()


async def test_an_order_is_confirmed_only_by_what_is_read_back(house):
    house.drivers[FIRST].shows_after = 2
    await house.send(house.command(Order(FIRST, Sleep())))
    assert await house.until("accepted", "acknowledged", "confirmed")
    assert house.drivers[FIRST].applied == ["sleep"]


async def test_an_acknowledged_order_without_effect_is_contradicted(house):
    house.drivers[FIRST].shows_after = 10**6
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged", "contradicted")


async def test_an_effect_that_nobody_can_see_is_unknown(house):
    house.drivers[FIRST].shows_after = 10**6
    house.drivers[FIRST].effect = Effect.UNSEEN
    await house.send(house.command(Order(FIRST, Sleep())))
    rows = await house.until("accepted", "acknowledged", "unknown")
    assert rows[-1] == ("unknown", "command.not-seen")


async def test_after_a_lost_answer_the_order_is_read_back_and_not_repeated(house):
    house.drivers[FIRST].fault = DeviceTimeout("no answer in 5 s")
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "confirmed")
    assert house.drivers[FIRST].applied == ["sleep"]


async def test_a_device_that_says_no_is_refused_by_its_code(house):
    house.drivers[FIRST].fault = WritesDisabled("enable the API with the vendor's tool")
    await house.send(house.command(Order(FIRST, Sleep())))
    rows = await house.until("accepted", "refused")
    assert rows[-1][1] == "device.writes-disabled"


async def test_a_newer_order_ends_the_watch_over_the_older(house):
    house.drivers[FIRST].shows_after = 10**6
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged")
    house.drivers[FIRST].shows_after = 1
    await house.send(house.command(Order(FIRST, Wake())))
    async with asyncio.timeout(5):
        while len([row for row in house.rows if row[2] in ("unknown", "confirmed")]) < 2:
            await asyncio.sleep(0.01)
    ends = {row[0]: (row[2], row[3]) for row in house.rows}
    assert ends == {"cmd-1": ("unknown", "command.superseded"), "cmd-2": ("confirmed", "")}


REFUSALS = (
    ("command.signature", lambda h: (h.command(Order(FIRST, Sleep())), (h.thief,))),
    ("command.signature", lambda h: (h.command(Order(FIRST, Sleep())), (h.approver,))),
    ("command.not-addressed", lambda h: (h.command(Order(FIRST, Sleep()), node="tx1-other"), ())),
    ("command.replayed", lambda h: (h.command(Order(FIRST, Sleep()), counter=0), ())),
    ("command.expired", lambda h: (h.command(Order(FIRST, Sleep()), expires_at_ms=h.clock.now_ms() - 1_000), ())),
    ("command.unknown-device", lambda h: (h.command(Order("m-ffffffffffff", Sleep())), ())),
    ("command.unsupported", lambda h: (h.command(Order(FIRST, Wake()), **{}), ("no-wake",))),
    ("command.second-person-missing", lambda h: (h.command(Order(FIRST, SetPools((Pool("a", "b"),)))), ())),
    ("command.too-many-orders", lambda h: (h.command(*[Order(FIRST, Sleep())] * 20_001), ())),
    ("policy.rate", lambda h: (h.command(*[Order(FIRST, Sleep())] * 101), ())),
)


@pytest.mark.parametrize(("rule", "case"), REFUSALS, ids=[f"{i}-{rule}" for i, (rule, _) in enumerate(REFUSALS)])
async def test_every_refusal_has_its_rule_and_touches_nothing(house, rule, case):
    command, signers = case(house)
    if signers == ("no-wake",):
        house.drivers[FIRST].verbs = frozenset({"sleep"})
        signers = ()
    await house.send(command, *signers)
    rows = await house.until("refused")
    assert rows == [("refused", rule)]
    assert not any(driver.applied for driver in house.drivers.values())


async def test_a_changed_state_refuses_an_order_that_was_given_for_another(house):
    readings = {0: good_reading(OpState.SLEEPING, power_w=25.0)}
    house.image = image_of(house.site, house.clock.now_ms(), readings, site_w=18_000.0)
    await house.send(house.command(Order(FIRST, Sleep(), expected_state=OpState.HASHING)))
    rows = await house.until("refused")
    assert rows == [("refused", "command.state-changed")]


async def test_the_same_envelope_twice_is_executed_once(house):
    sealed = seal(DOMAIN, house.command(Order(FIRST, Sleep())), (house.operator,))
    await asyncio.gather(*(house.service.command_received(sealed) for _ in range(5)))
    async with asyncio.timeout(5):
        while len([row for row in house.rows if row[2] in ("confirmed", "refused")]) < 5:
            await asyncio.sleep(0.01)
    assert house.drivers[FIRST].applied == ["sleep"]
    assert sorted(row[3] for row in house.rows if row[2] == "refused") == ["command.replayed"] * 4


async def test_pools_change_with_two_signatures(house):
    command = house.command(Order(FIRST, SetPools((Pool("stratum+tcp://a", "u"),))))
    await house.send(command, house.operator, house.approver)
    await house.until("accepted", "acknowledged", "confirmed")


async def test_any_bytes_are_refused_and_reported(house):
    await house.service.command_received(b"\x93\x01garbage")
    rows = await house.until("refused")
    assert rows == [("refused", "command.malformed")]


async def test_after_a_crash_nothing_is_repeated_and_everything_is_looked_after(tmp_path):
    house = House(tmp_path)
    house.drivers[FIRST].shows_after = house.drivers[SECOND].shows_after = 10**6
    await house.send(house.command(Order(FIRST, Sleep()), Order(SECOND, Sleep())))
    async with asyncio.timeout(5):
        while [row[2] for row in house.rows].count("acknowledged") < 2:
            await asyncio.sleep(0.01)
    await house.aclose()

    reborn = House(tmp_path, house.operator)
    reborn.drivers[SECOND].shows_after = 10**6
    reborn.service.resume()
    async with asyncio.timeout(5):
        while len(reborn.rows) < 2:
            await asyncio.sleep(0.01)
    assert {row[1]: row[2] for row in reborn.rows} == {FIRST: "confirmed", SECOND: "contradicted"}
    assert not any(driver.applied for driver in reborn.drivers.values())
    await reborn.send(reborn.command(Order(FIRST, Sleep()), command_id="cmd-x"))  # counter 1 again
    await reborn.until("refused")
    assert not reborn.drivers[FIRST].applied
    assert not reborn.ledger.unfinished()
    await reborn.aclose()


async def test_local_demands_pass_the_same_interlocks_and_leave_the_same_trail(house):
    await house.service.submit_local([Demand("interlock.feeder-overload", FIRST, Sleep(), "too much")])
    await house.until("accepted", "acknowledged", "confirmed")
    assert house.rows[0][0].startswith("local-")


async def test_read_now_brings_the_reading_into_the_image_and_its_evidence_home(house):
    await house.send(house.command(Order(FIRST, ReadNow())))
    await house.until("accepted", "confirmed")
    frozen = house.live.freeze(1, house.clock.now_ms())
    assert frozen.miners[FIRST].reading.power_w == 1_234.0


async def test_a_plan_is_kept_over_a_restart_and_an_older_one_is_refused(tmp_path):
    house = House(tmp_path)
    now_ms = house.clock.now_ms()

    def plan(counter: int, plan_id: str) -> bytes:
        message = SitePlan(
            1, plan_id, "tx1", "tx1-agent", counter, now_ms, now_ms, now_ms + 60_000, ((now_ms, 10_000),), (FIRST,)
        )
        return seal(PLAN_DOMAIN, message, (house.operator,))

    await house.service.plan_received(plan(7, "p7"))
    await house.service.plan_received(plan(6, "p6"))
    assert house.service.plan.plan_id == "p7"
    await house.until("refused")
    await house.aclose()
    reborn = House(tmp_path)
    assert reborn.service.plan.plan_id == "p7"
    await reborn.aclose()


async def test_a_command_cannot_pass_for_a_plan(house):
    await house.service.plan_received(seal(DOMAIN, house.command(Order(FIRST, Sleep())), (house.operator,)))
    rows = await house.until("refused")
    assert rows == [("refused", "command.signature")]


async def test_time_never_turns_back_behind_a_signed_message(house):
    future_ms = house.clock.now_ms() + 3_600_000
    await house.send(house.command(Order(FIRST, Sleep()), issued_at_ms=future_ms, expires_at_ms=future_ms + 30_000))
    await house.until("accepted", "acknowledged", "confirmed")
    await house.send(house.command(Order(FIRST, Sleep())))
    rows = await house.until("refused")
    assert rows[-1] == ("refused", "command.expired")


async def test_what_a_write_replaced_stays_here_whole_and_travels_without_passwords(house, tmp_path):
    async def apply(action):
        return Acknowledgement(
            "OK", (Evidence("get_miner_conf", b'{"pools":[{"url":"a","user":"u","pass":"hunter2"}]}'),)
        )

    house.drivers[FIRST].apply = apply
    sent = []
    house.outcomes._store = lambda batch, rows: _keep(sent, batch)
    await house.send(house.command(Order(FIRST, Sleep())))
    async with asyncio.timeout(5):
        while not any(row.state == "confirmed" for batch in sent for row in batch.rows):
            await asyncio.sleep(0.01)
    assert "hunter2" not in str(sent)
    assert "get_miner_conf" in str(sent)
    with sqlite3.connect(tmp_path / "commands.db") as db:
        assert b"hunter2" in db.execute("SELECT raw FROM replaced").fetchone()[0]
    db.close()


async def _keep(sent, batch):
    sent.append(batch)


async def test_a_machine_without_a_sleep_order_is_stopped_at_its_outlet(house):
    """The trail shows the outlet's order; a PDU that is not there yet makes it a refusal that can be seen."""
    known = house.roster.miners[FIRST]
    known.driver.verbs = frozenset({"restart"})
    known.placement = msgspec.structs.replace(known.placement, pdu="pdu-1", outlet=4)
    await house.service.submit_local([Demand("interlock.chip-hot", FIRST, Sleep(), "97 °C")])
    await house.until("refused")
    assert [(row[1], row[3]) for row in house.rows] == [("pdu-1", "command.unknown-device")]
    assert known.driver.applied == []
