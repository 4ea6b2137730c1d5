"""Machines that say nothing of their sleep, or what is not so, and the outlets that tell."""

import time

import pytest

from shared.actions import Sleep, Wake
from shared.states import OpState
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (4, {"Antminer S21 Pro": 4})  # its builds close the socket of the mining process while it sleeps
SILENCE_S = 45.0
SECONDS = 12.0


async def test_a_sleep_behind_a_closed_socket_is_proven_by_its_outlet_in_seconds(start, sims, desk):
    await start()
    miner = sims.miners_of("Antminer S21 Pro")[0]
    ordered_s = time.monotonic()
    row = (await desk.until_ended(desk.order_each([miner], Sleep()), 1, SECONDS))[miner]
    assert row.state == "confirmed", row
    assert "no mining process" in row.observed
    assert "its outlet drew" in row.observed
    assert time.monotonic() - ordered_s < SECONDS < SILENCE_S
    assert (await sims.column("state"))[miner] == "sleeping"


async def test_without_its_outlet_the_same_sleep_is_not_confirmed_before_the_silence(start, sims, desk):
    agent = await start()
    miner = sims.miners_of("Antminer S21 Pro")[1]
    placed = agent.app.roster.miners[miner].placement
    await sims.fault(placed.pdu, "dead")
    agent.confirm_within(miner, 4.0)
    row = (await desk.until_ended(desk.order_each([miner], Sleep()), 1, SECONDS))[miner]
    assert row.state == "unknown", row


async def test_a_frozen_machine_that_woke_is_told_by_its_outlet(start, sims, desk):
    agent = await start()
    miner = sims.miners_of("Antminer S21 Pro")[2]
    await desk.until_ended(desk.order_each([miner], Sleep()), 1, SECONDS)
    await sims.fault(miner, "frozen")
    command = desk.order_each([miner], Wake())
    await eventually(lambda: [r for r in desk.rows_of(command) if r.state == "acknowledged"], 5, "it was told")
    await sims.run_at(30)
    row = (await desk.until_ended(command, 1, 25))[miner]
    assert row.state == "confirmed", row
    assert "its outlet drew" in row.observed
    assert (await sims.column("asleep_by_order"))[miner] is False
    await eventually(lambda: agent.miner(miner).reading.op_state is not OpState.SLEEPING, 5, "nobody believes it")
