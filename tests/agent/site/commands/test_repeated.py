"""The same command again: it may come twice, late, behind newer ones, and after the agent was killed."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from agent.site.commands import ledger as ledger_module
from agent.site.commands.ledger import Ledger
from agent.site.commands.pace import Pace
from shared.actions import ReadNow, Sleep, Wake
from shared.crypto.signing import seal
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Order, SitePlan
from tests.agent.site.commands.house import FIRST, SECOND, House

KEY = SigningKey(bytes(32))
ROOT = Path(__file__).parents[4]
KILL_S = 30.0
LIFE = "import sys; from tests.agent.site.commands.test_repeated import live; live(*sys.argv[1:])"


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path, KEY)
    yield house
    await house.aclose()


def sealed(house, *orders, **fields):
    return seal(DOMAIN, house.command(*orders, **fields), (house.operator,))


async def ended(house, count):
    async with asyncio.timeout(8):
        while len([row for row in house.rows if row[2] in ("confirmed", "contradicted", "refused", "unknown")]) < count:
            await asyncio.sleep(0.01)


async def test_the_same_envelope_many_times_is_executed_once_and_no_offence(house):
    envelope = sealed(house, Order(FIRST, Sleep()))
    await asyncio.gather(*(house.service.command_received(envelope) for _ in range(5)))
    await house.until("accepted", "acknowledged", "confirmed")
    await house.service.command_received(envelope)
    await house.send(house.command(Order(SECOND, Sleep())))
    await ended(house, 2)
    assert house.drivers[FIRST].applied == ["sleep"]
    assert "refused" not in {row[2] for row in house.rows}


async def test_an_order_that_comes_late_is_carried_out_if_it_never_came_before(house):
    late = sealed(house, Order(FIRST, Sleep()))
    await house.send(house.command(Order(SECOND, Sleep()), Order(FIRST, ReadNow())))
    await house.service.command_received(late)
    await ended(house, 3)
    assert house.drivers[FIRST].applied == ["sleep"]


async def test_a_late_order_does_not_undo_a_newer_one_about_the_same_thing(house):
    late = sealed(house, Order(FIRST, Sleep()), Order(SECOND, Sleep()))
    await house.send(house.command(Order(FIRST, Wake())))
    await house.service.command_received(late)
    await ended(house, 3)
    assert (house.drivers[FIRST].applied, house.drivers[SECOND].applied) == (["wake"], ["sleep"])
    assert [row for row in house.rows if row[2] == "refused"] == [("cmd-1", FIRST, "refused", "command.overtaken")]


async def test_a_newer_order_that_was_refused_overtakes_nothing(house):
    late = sealed(house, Order(FIRST, Sleep()))
    house.drivers[FIRST].verbs = frozenset({"sleep"})
    await house.send(house.command(Order(FIRST, Wake())))
    await house.until("refused")
    async with asyncio.timeout(5):
        while house.ledger.unfinished():
            await asyncio.sleep(0.01)
    await house.service.command_received(late)
    await ended(house, 2)
    assert house.drivers[FIRST].applied == ["sleep"]


async def test_an_order_waits_for_a_device_of_the_site_that_is_not_found_yet(house):
    found = house.roster.miners.pop(FIRST)
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.send(house.command(Order(FIRST, Wake())))
    await house.send(house.command(Order("m-stranger", Sleep())))
    await house.until("refused")
    assert house.rows[-1] == ("cmd-3", "m-stranger", "refused", "command.unknown-device")
    house.roster.put_miner(found)
    await ended(house, 3)
    assert found.driver.applied == ["sleep", "wake"]


async def test_nobody_waits_for_a_device_longer_than_the_order_lives(house):
    house.roster.miners.pop(FIRST)
    await house.send(house.command(Order(FIRST, Sleep()), expires_at_ms=house.clock.now_ms() + 200))
    rows = await house.until("refused")
    assert rows == [("refused", "command.unknown-device")]


async def test_a_refusal_is_final(house):
    """What was refused for its number is not carried out later, when there would be room."""
    house.service._pace = Pace(0, house.clock)
    envelope = sealed(house, Order(FIRST, Sleep()))
    await house.service.command_received(envelope)
    house.service._pace = Pace(100, house.clock)
    await house.service.command_received(envelope)
    rows = await house.until("refused", "refused")
    assert rows == [("refused", "policy.rate")] * 2
    assert not house.drivers[FIRST].applied


async def test_a_repetition_after_the_expiry_is_an_offence(house):
    now_ms = house.clock.now_ms()
    envelope = sealed(house, Order(FIRST, Sleep()), expires_at_ms=now_ms + 10_000)
    await house.service.command_received(envelope)
    await ended(house, 1)
    house.time.heard(now_ms + 10_001)
    await house.service.command_received(envelope)
    await house.until("refused")
    assert house.rows[-1] == ("", "", "refused", "command.replayed")
    assert house.drivers[FIRST].applied == ["sleep"]


async def test_another_command_under_a_used_counter_is_an_offence(house):
    await house.send(house.command(Order(FIRST, Sleep())))
    await ended(house, 1)
    await house.send(house.command(Order(SECOND, Sleep()), counter=1))
    await house.send(house.command(Order(SECOND, Sleep()), command_id="cmd-1", counter=9))
    await ended(house, 3)
    assert [row[3] for row in house.rows if row[2] == "refused"] == ["command.replayed"] * 2
    assert not house.drivers[SECOND].applied


async def test_what_was_forgotten_can_never_come_again(house):
    late = sealed(house, Order(FIRST, Sleep()))
    await house.send(house.command(Order(SECOND, Sleep())))
    await ended(house, 1)
    await house.ledger.prune(house.clock.now_ms() + ledger_module.KEEP_MS + 1)
    await house.service.command_received(late)
    await house.until("refused")
    assert house.rows[-1][3] == "command.replayed"
    assert not house.drivers[FIRST].applied


async def test_the_plan_that_holds_may_be_repeated_by_the_broker(house):
    now_ms = house.clock.now_ms()
    plan = SitePlan(1, "p7", "tx1", "tx1-agent", 7, now_ms, now_ms, now_ms + 60_000, ((now_ms, 10_000),), (FIRST,))
    for _ in range(3):
        await house.service.plan_received(seal(PLAN_DOMAIN, plan, (house.operator,)))
    await house.send(house.command(Order(FIRST, Sleep())))  # counter 1: a plan overtakes no command
    await ended(house, 1)
    assert {row[2] for row in house.rows} == {"accepted", "acknowledged", "confirmed"}


def test_a_ledger_of_the_first_form_keeps_its_counters(tmp_path):
    schema = Path(ledger_module.__file__).parent / "schemas" / "0001.sql"
    file = sqlite3.connect(tmp_path / "commands.db")
    file.executescript(schema.read_text() + "PRAGMA user_version = 1; INSERT INTO counters VALUES ('k', 7);")
    file.close()
    ledger = Ledger(tmp_path / "commands.db")
    ledger.open()
    assert (ledger.floor("k"), ledger.floor("other")) == (7, 0)
    ledger.close()


@pytest.mark.parametrize(("moment", "executions"), [("prepare", 0), ("apply", 1), ("read_back", 1)])
def test_a_killed_agent_never_executes_the_same_parcel_again(tmp_path, moment, executions):
    """The real thing: kill -9 in the middle of the order, then the same bytes twice for the next life."""
    assert life(tmp_path, moment) == -signal.SIGKILL
    assert life(tmp_path, "never") == 0
    assert (tmp_path / "executed").read_bytes() == b"x" * executions


def life(folder: Path, dies_at: str) -> int:
    return subprocess.run([sys.executable, "-c", LIFE, str(folder), dies_at], cwd=ROOT, timeout=KILL_S).returncode


def live(folder: str, dies_at: str) -> None:
    """One life of an agent in a process of its own: resume, take the parcel twice, see it end."""
    asyncio.run(_live(Path(folder), dies_at))


async def _live(folder: Path, dies_at: str) -> None:
    house = House(folder, KEY)
    driver = house.drivers[FIRST]
    for name in ("prepare", "apply", "read_back"):
        setattr(driver, name, _mortal(getattr(driver, name), folder / "executed", name, dies_at))
    parcel = folder / "parcel"
    if not parcel.exists():
        parcel.write_bytes(sealed(house, Order(FIRST, Sleep())))
    house.service.resume()
    for _ in range(2):
        await house.service.command_received(parcel.read_bytes())
    await ended(house, 1)
    await house.aclose()


def _mortal(call, executed: Path, name: str, dies_at: str):
    async def called(*args):
        with executed.open("ab") as file:
            file.write(b"x" if name == "apply" else b"")
        if name == dies_at:
            signal.raise_signal(signal.SIGKILL)
        return await call(*args)

    return called
