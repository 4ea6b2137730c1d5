"""The site alone: without controller it keeps to its plan by its meter, without broker it forgets nothing."""

import asyncio

import pytest

from agent.site.autonomy import plan as autonomy
from shared.actions import Wake
from shared.crypto.signing import seal
from shared.states import Reach
from shared.wire.command import Order
from shared.wire.record import RECEIPT_DOMAIN, Receipt
from tests.integration.edge.desk import NODE, SITE, eventually

pytestmark = pytest.mark.broker

SIMS = (8, {"Antminer S21": 5, "M60S": 3})
SILENCE_S = 2.0


async def site_w(sims) -> float:
    return (await sims.truth())["feeders"]["site"]["power_w"]


@pytest.mark.slow
async def test_a_silent_controller_leaves_the_site_to_its_plan_and_then_to_its_fallback(start, sims, desk, monkeypatch):
    monkeypatch.setattr(autonomy, "SETTLE_S", 4.0)
    agent = await start(silence_s=SILENCE_S)
    drawn_w = await site_w(sims)
    cap_w, fallback_w = int(drawn_w) - 3_000, int(drawn_w) - 9_000
    shed_first = sims.miners_of("M60S")[0]
    desk.plan(cap_w, fallback_w, for_s=8.0, shed_order=[shed_first])
    await eventually(lambda: agent.app.commands.plan is not None, 3, "the plan has arrived")
    await asyncio.sleep(SILENCE_S + 0.5)
    assert (await sims.truth())["executed"] == {}, "while the controller is there, it leads"

    desk.silent = True
    await eventually(lambda: agent.miner(shed_first).reading.op_state.name == "SLEEPING", 6, "the first is shed")
    assert (await sims.truth())["executed"].keys() == {shed_first}
    await eventually(lambda: agent.image.meters["meter-site"].reading.power_w < cap_w, 5, "the meter is below the cap")
    await eventually(lambda: agent.image.meters["meter-site"].reading.power_w < fallback_w, 12, "below the fallback")
    assert len((await sims.truth())["executed"]) == 3

    desk.silent = False
    await eventually(lambda: agent.app.silence.lasts_s() < 1, 5, "the controller is heard again")
    reasons = {reason.split(":")[0] for reason in agent.app.ledger._committer.run(_reasons)}
    assert reasons == {"autonomy.plan-cap", "autonomy.fallback-cap"}


def _reasons(db):
    return [reason for (reason,) in db.execute("SELECT reason FROM commands")]


async def test_old_receipts_are_no_sign_of_life(start, desk):
    agent = await start(silence_s=SILENCE_S)
    await eventually(lambda: agent.app.uplink.counters.news > 0, 3, "the controller is heard")
    desk.silent = True
    epoch = desk.hellos[-1].epoch
    old = seal(RECEIPT_DOMAIN, Receipt(1, SITE, NODE, epoch, 1, agent.app.clock.now_ms() - 60_000), [desk.operator])
    await asyncio.sleep(0.5)
    for _ in range(6):
        desk.send(old, "receipt")
        await asyncio.sleep(0.25)
    assert agent.app.silence.lasts_s() > 1.5


async def test_without_a_broker_nothing_stops_and_everything_is_told_afterwards(start, desk, broker, sims):
    agent = await start()
    await eventually(lambda: len(desk.records) > 5, 5, "records arrive")
    broker.kill()
    at_kill, cycle = agent.app.clock.now_ms(), agent.image.cycle
    await asyncio.sleep(4)
    assert agent.image.cycle > cycle + 8
    assert all(miner.observed_at_ms > at_kill and miner.reach is Reach.UP for miner in agent.image.miners.values())
    stats = await agent.app.spool.stats()
    assert stats.rows >= 8
    highest = (await agent.app.spool.lanes())[-1].highest_seq
    broker.start()
    await eventually(lambda: len(desk.records) >= highest, 12, "all that waited has arrived")
    numbers = sorted(seq for _, seq in desk.records)
    assert numbers[:highest] == list(range(1, highest + 1))
    cycles = [batch.cycle for batch in desk.batches]
    assert {batch.boot_id for batch in desk.batches} == {hello.boot_id for hello in desk.hellos}
    assert len(cycles) == len(set(cycles))


async def test_hot_chips_are_put_to_sleep_by_the_site_itself_and_stay_so(start, sims, desk, tmp_path):
    states = await sims.column("state")
    hot = [device_id for device_id in states if states[device_id] == "hashing"]
    assert len(hot) >= 4
    await start(site_file=sims.changed(tmp_path, chip_max_c=55.0, chip_resume_c=40.0))

    def asleep() -> set[str]:
        return {
            row.device_id
            for command_id, row in desk.rows
            if command_id.startswith("local-") and (row.verb, row.state) == ("sleep", "confirmed")
        }

    await eventually(lambda: asleep() >= set(hot), 15, "all sleep by the site's own order")
    states = await sims.column("state")
    assert {states[device_id] for device_id in hot} == {"sleeping"}
    ends = await desk.until_ended(desk.order(Order(hot[0], Wake())), 1)
    assert ends[hot[0]].rule == "interlock.chip-hot"
