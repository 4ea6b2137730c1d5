"""Orders over MQTT to each family, ended by what the machines really did."""

import pytest

from shared.actions import Pool, Reboot, SetPools, SetPowerLimit, SetPowerMode, Sleep, SwitchOutlet, Wake
from shared.wire.command import Order
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (12, {"Antminer S21": 5, "M60S": 5, "BitAxe Gamma": 2})
POOLS = (
    Pool("stratum+tcp://north.example:3333", "edge.1", "not-for-eyes"),
    Pool("stratum+tcp://south.example:3333", "edge.2"),
)


SITE_METER_CLASS = 0.005
PAIR_ASLEEP_W = 2 * 25.0


def site_meter_w(agent) -> float:
    return agent.image.meters["meter-site"].reading.power_w


async def pair_w(sims, pair) -> float:
    drawn_w = await sims.column("power_w")
    return sum(drawn_w[device_id] for device_id in pair)


def states_of(ends) -> dict[str, str]:
    return {device_id: row.state for device_id, row in ends.items()}


def confirmed(*devices: str) -> dict[str, str]:
    return dict.fromkeys(devices, "confirmed")


async def test_sleep_and_wake_are_confirmed_where_the_machines_really_did(start, sims, desk):
    """In the simulators' own time, so that the other machines draw what they drew; then fast, since a ramp is long."""
    agent = await start()
    pair = [sims.miners_of("Antminer S21")[0], sims.miners_of("M60S")[0]]
    metered_w, drawn_w = site_meter_w(agent), await pair_w(sims, pair)
    assert states_of(await desk.until_ended(desk.order_each(pair, Sleep()), 2)) == confirmed(*pair)
    truth = await sims.column("state")
    assert [truth[device_id] for device_id in pair] == ["sleeping", "sleeping"]

    fall_w, error_w = drawn_w - PAIR_ASLEEP_W, SITE_METER_CLASS * metered_w
    assert fall_w > 6_000
    await eventually(
        lambda: abs(metered_w - site_meter_w(agent) - fall_w) <= error_w,
        8,
        f"the meter shows {fall_w:.0f} W less, within {error_w:.0f} W",
    )
    await sims.run_at(30)
    ends = await desk.until_ended(desk.order_each(pair, Wake()), 2)
    assert states_of(ends) == confirmed(*pair), [row.detail for row in ends.values()]
    truth = await sims.column("asleep_by_order")
    assert [truth[device_id] for device_id in pair] == [False, False]


async def test_a_limit_is_confirmed_by_the_limit_and_the_draw(start, sims, desk):
    await start()
    await sims.run_at(60)
    whatsminer = sims.miners_of("M60S")[1]
    ends = await desk.until_ended(desk.order(Order(whatsminer, SetPowerLimit(2_800))), 1, 19)
    assert states_of(ends) == confirmed(whatsminer), ends
    truth = await sims.device(whatsminer)
    assert truth["power_limit_w"] == 2_800
    assert truth["power_w"] < 3_000


async def test_pools_are_replaced_with_two_signatures_and_no_outcome_carries_a_password(start, sims, desk):
    await start()
    await sims.run_at(30)
    trio = [sims.miners_of(model)[1] for model in ("Antminer S21", "M60S", "BitAxe Gamma")]
    alone = desk.order_each(trio, SetPools(POOLS))
    assert {row.rule for row in (await desk.until_ended(alone, 1)).values()} == {"command.second-person-missing"}
    command = desk.order(*(Order(device_id, SetPools(POOLS)) for device_id in trio), approved=True)
    ends = await desk.until_ended(command, 3, 19)
    assert states_of(ends) == confirmed(*trio), ends
    for device_id in trio[:2]:
        told = (await sims.device(device_id))["pools"]
        assert [(pool["url"], pool["user"]) for pool in told if pool["url"]] == [(p.url, p.user) for p in POOLS]
    told = "".join(row.evidence + row.detail + row.observed for row in desk.rows_of(command))
    assert told
    assert "not-for-eyes" not in told


async def test_a_yes_without_an_effect_is_contradicted(start, sims, desk):
    agent = await start()
    pair = [sims.miners_of("Antminer S21")[2], sims.miners_of("M60S")[2]]
    for device_id in pair:
        await sims.fault(device_id, "accepts_and_ignores")
        agent.confirm_within(device_id, 2.0)
    command = desk.order_each(pair, Sleep())
    assert states_of(await desk.until_ended(command, 2)) == dict.fromkeys(pair, "contradicted")
    assert [(await sims.device(device_id))["ignored"]["sleep"] for device_id in pair] == [1, 1]
    assert [(await sims.device(device_id))["executed"] for device_id in pair] == [{}, {}]
    assert [row.state for row in desk.rows_of(command)].count("acknowledged") == 2


async def test_a_machine_that_reboots_over_an_order_is_never_confirmed_on_its_word_and_keeps_its_pools(
    start, sims, desk
):
    agent = await start()
    pair = [sims.miners_of("Antminer S21")[3], sims.miners_of("M60S")[3]]
    pools = [(await sims.device(device_id))["pools"] for device_id in pair]
    for device_id in pair:
        await sims.fault(device_id, "reboot_mid_command")
        agent.confirm_within(device_id, 3.0)
    command = desk.order(Order(pair[0], SetPowerMode("low")), Order(pair[1], SetPowerLimit(3_000)))
    ends = await desk.until_ended(command, 2)
    assert "confirmed" not in states_of(ends).values(), ends
    assert [(await sims.device(device_id))["state"] for device_id in pair] == ["booting", "booting"]
    assert [(await sims.device(device_id))["pools"] for device_id in pair] == pools
    await sims.run_at(60)
    await eventually(lambda: all(agent.miner(d).reach == 0 for d in pair), 15, "both are back")


async def test_a_reboot_is_confirmed_by_an_uptime_that_began_again(start, sims, desk):
    await start()
    await sims.run_at(60)
    small = sims.miners_of("BitAxe Gamma")[0]
    ends = await desk.until_ended(desk.order(Order(small, Reboot())), 1, 19)
    assert states_of(ends) == confirmed(small), ends
    assert (await sims.device(small))["executed"]["reboot"] == 1


async def test_outlets_of_one_pdu_are_switched_in_one_request_and_proven_by_their_watts(start, sims, desk):
    await start()
    placed = [p for p in sims.site.placement if p.pdu is not None and p.model != "BitAxe Gamma"][-3:]
    pdu = placed[0].pdu
    orders = [Order(pdu, SwitchOutlet(outlet=p.outlet, on=False)) for p in placed]
    command = desk.order(*orders)
    await desk.until_ended(command, 3)
    assert [row.state for row in desk.rows_of(command)].count("confirmed") == 3, desk.rows_of(command)
    truth = await sims.truth()
    assert {truth["switched"][pdu][str(p.outlet)] for p in placed} == {1}
    acknowledged = {row.detail for row in desk.rows_of(command) if row.state == "acknowledged"}
    assert len(acknowledged) == 1, acknowledged
    for p in placed:
        await sims.ask("POST", "/power", {"device": "m-" + p.mac.replace(":", ""), "on": True})
