"""Orders from sealed bytes to their ends, on machines that lie, hang and die."""

import asyncio
import sqlite3

import msgspec
import pytest

from agent.site.devices.ports import Acknowledgement, Effect
from agent.site.devices.reading import Evidence
from agent.site.safety import Demand
from shared.actions import Pool, ReadNow, SetPools, Sleep, Wake
from shared.clock import instant
from shared.crypto.signing import seal
from shared.errors import DeviceTimeout, WritesDisabled
from shared.states import OpState
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Order, SitePlan
from tests.agent.site.commands.house import FIRST, SECOND, House
from tests.agent.site.scene import good_reading, image_of


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
    frozen = house.live.freeze(1, instant(house.clock))
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
