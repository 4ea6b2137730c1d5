"""One device of many lies, hangs or dies: the others stay fresh, and the faulty one is never shown as it is not."""

import asyncio
import time

import pytest

from agent.site.devices.reading import quality_of
from agent.site.telemetry import flatline, watch
from shared.actions import Sleep
from shared.quality import Quality
from shared.states import OpState, Reach
from shared.wire.command import Order
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (14, {"Antminer S21": 6, "M60S": 4, "BitAxe Gamma": 4})
REAL_PERIODS = {"hot_s": 1.0, "warm_s": 5.0, "full_every_s": 60.0}
FRESH_S = 7.5
CASES = (  # model, which, fault, detail: each on a machine of its own
    ("Antminer S21", 0, "dead", {}),
    ("Antminer S21", 1, "silent", {}),
    ("Antminer S21", 2, "slow", {"delay_s": 12.0}),
    ("Antminer S21", 3, "http500", {}),
    ("M60S", 0, "truncated", {}),
    ("M60S", 1, "garbage", {}),
    ("M60S", 2, "endless", {}),
    ("BitAxe Gamma", 0, "http500", {}),
    ("BitAxe Gamma", 1, "garbage", {}),
)


def believed_hashing(agent, device_id: str) -> bool:
    """What a person sees as live: read well, a moment ago, and not marked."""
    state = agent.miner(device_id)
    now_ms = agent.app.clock.now_ms()
    return (
        state.reach is Reach.UP
        and state.op_state(now_ms, 15_000) is OpState.HASHING
        and quality_of(state.reading, "hashrate_ths").usable
    )


@pytest.mark.slow
async def test_nine_broken_machines_at_once_neither_lie_nor_hold_up_the_others(start, sims, desk, monkeypatch):
    monkeypatch.setattr(watch, "SILENT_AFTER_S", 8.0)
    monkeypatch.setattr(watch, "SILENT_AFTER_POLLS", 1)
    agent = await start(polling=REAL_PERIODS)
    broken = {sims.miners_of(model)[which]: (kind, detail) for model, which, kind, detail in CASES}
    for device_id, (kind, detail) in broken.items():
        await sims.fault(device_id, kind, **detail)
    healthy = agent.image.miners.keys() - broken.keys()
    await asyncio.sleep(5)  # a round, in which the last good answers grow old
    oldest_s, ends_s = 0.0, time.monotonic() + 8.0
    while time.monotonic() < ends_s:
        now_ms = agent.app.clock.now_ms()
        ages = [now_ms - (agent.miner(device_id).observed_at_ms or 0) for device_id in healthy]
        ages += [now_ms - (meter.observed_at_ms or 0) for meter in agent.image.meters.values()]
        oldest_s = max(oldest_s, max(ages) / 1000)
        await asyncio.sleep(0.1)
    assert oldest_s < FRESH_S
    # An Antminer's web pages may fail while its other port goes on answering.
    mute = [d for d, (kind, _) in broken.items() if kind != "http500" or d in sims.miners_of("BitAxe Gamma")]
    assert not [device_id for device_id in mute if believed_hashing(agent, device_id)]
    for device_id in sims.miners_of("Antminer S21", "M60S", "BitAxe Gamma"):
        expected = [True] if device_id in mute else []
        assert desk.alarms("device.silent", device_id) == expected, (broken.get(device_id), device_id)


async def test_alarms_end_once_when_the_devices_are_well_again(start, sims, desk, monkeypatch):
    monkeypatch.setattr(watch, "SILENT_AFTER_S", 2.0)
    await start()
    miner, meter = sims.miners_of("M60S")[3], sims.site.meter[0].id
    await sims.fault(miner, "silent")
    await sims.fault(meter, "dead")
    await eventually(lambda: desk.alarms("device.silent", miner) == [True], 8, "the miner's silence")
    await eventually(lambda: desk.alarms("meter.silent", meter) == [True], 8, "the meter's silence")
    await sims.heal()
    await eventually(lambda: desk.alarms("device.silent", miner) == [True, False], 8, "the miner's return")
    await eventually(lambda: desk.alarms("meter.silent", meter) == [True, False], 8, "the meter's return")


async def test_a_machine_that_repeats_old_values_is_marked_and_its_sleep_is_not_confirmed(
    start, sims, desk, monkeypatch
):
    monkeypatch.setattr(flatline, "SPAN_S", 3.0)
    agent = await start()
    liar = sims.miners_of("M60S")[3]
    agent.confirm_within(liar, 5.0)
    await sims.fault(liar, "frozen")
    command = desk.order(Order(liar, Sleep()))
    await eventually(lambda: desk.alarms("device.frozen", liar) == [True], 8, "the flatline")
    assert (await sims.column("state"))[liar] == "sleeping"
    assert not believed_hashing(agent, liar)
    assert quality_of(agent.miner(liar).reading, "hashrate_ths") is Quality.FROZEN
    ends = await desk.until_ended(command, 1)
    assert ends[liar].state in ("contradicted", "unknown")
    await sims.heal()
    await eventually(lambda: desk.alarms("device.frozen", liar) == [True, False], 5, "values move again")


@pytest.mark.parametrize("model", ["Antminer S21", "M60S", "BitAxe Gamma"])
async def test_another_unit_is_marked_and_not_taken_for_a_rate(start, sims, model):
    agent = await start()
    device_id = sims.miners_of(model)[-2]
    await sims.fault(device_id, "wrong_unit", factor=1_000.0)
    # The rate of a window leaves its unit at once, since the device scales what it prints.
    await eventually(lambda: not believed_hashing(agent, device_id), 4, "the rate is doubted")
    await eventually(
        lambda: quality_of(agent.miner(device_id).reading, "hashrate_ths") is Quality.UNIT_SUSPECT, 4, "and marked"
    )


async def test_a_meter_in_other_units_is_not_used(start, sims, desk):
    agent = await start()
    await sims.fault("meter-site", "wrong_unit", factor=1_000.0)
    await eventually(lambda: desk.alarms("meter.fault", "meter-site") == [True], 5, "it was told")
    now_ms = agent.app.clock.now_ms()
    assert agent.image.meters["meter-site"].value("power_w", now_ms, 15_000) is None
    assert not agent.app.interlocks.loads()["site"].measured
    await sims.heal()
    await eventually(lambda: desk.alarms("meter.fault", "meter-site") == [True, False], 5, "and its end")
