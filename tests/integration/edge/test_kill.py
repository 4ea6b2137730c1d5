"""`bes agent`, killed in the middle of a command: nothing is done twice, every order ends, nothing told is lost."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from agent.site.drivers.miners import miner_profiles
from shared.actions import ReadNow, Sleep
from shared.states import TERMINAL, OutcomeState
from shared.wire.command import Order
from tests.integration.edge.desk import Desk, eventually, mqtt_of
from tests.integration.edge.node import settings_of, write_config
from tests.integration.edge.simulators import BES

pytestmark = pytest.mark.broker

SIMS = (12, {"Antminer S21": 6, "M60S": 6})


@pytest.fixture
def program(tmp_path: Path, sims, desk: Desk, broker):
    """`bes agent` as a process; killed at the latest when the test ends."""
    config = tmp_path / "agent.toml"
    write_config(config, settings_of(tmp_path, sims, desk, mqtt_of(broker)))
    with (tmp_path / "agent.log").open("wb") as log:
        process = subprocess.Popen([*BES, "agent", "-c", str(config)], stdout=log, stderr=log, env=os.environ)
    yield process
    process.kill()
    process.wait()


async def test_after_kill_9_in_a_command_nothing_is_done_twice_and_every_order_ends(
    program, sims, desk, start, monkeypatch
):
    devices = sims.miners_of("Antminer S21", "M60S")[:10]
    await eventually(lambda: len(desk.devices) >= 12 + len(sims.site.meter), 15, "the agent knows its site")
    for device_id in devices[5:]:
        await sims.fault(device_id, "slow", delay_s=1.5)  # so that the blow falls into their orders
    command = desk.order_each(devices, Sleep())
    await eventually(lambda: desk.rows_of(command), 8, "the first step")
    await asyncio.sleep(0.3)
    program.kill()
    program.wait()
    executed = {device_id: counts.get("sleep", 0) for device_id, counts in (await sims.truth())["executed"].items()}
    assert sum(executed.values()) >= 1
    before = {row.device_id for row in desk.rows_of(command) if OutcomeState(row.state) in TERMINAL}
    assert len(before) < 10, "killed too late to prove anything"

    await asyncio.sleep(2)  # what was on its way arrives
    executed = {device_id: counts.get("sleep", 0) for device_id, counts in (await sims.truth())["executed"].items()}
    await sims.heal()
    for profile in miner_profiles().values():
        monkeypatch.setitem(profile.confirm_within_s, "sleep", 2.0)
    await start()
    await eventually(lambda: len(desk.ends_of(command)) == 10, 10, "every order has an end")
    after = {device_id: counts.get("sleep", 0) for device_id, counts in (await sims.truth())["executed"].items()}
    assert after == executed, "an order was carried out again"
    assert set(after.values()) <= {0, 1}
    asleep = await sims.column("asleep_by_order")
    for device_id, row in desk.ends_of(command).items():
        assert (row.state == "confirmed") == asleep[device_id], (device_id, row)
    assert all(count >= 1 for count in desk.records.values())
    numbers = sorted(seq for _, seq in desk.records)
    assert numbers == list(range(1, len(numbers) + 1)), "a record was lost over the kill"


async def test_an_accepted_command_that_comes_again_after_a_kill_is_not_carried_out_again(program, sims, desk, start):
    device = sims.miners_of("M60S")[-1]
    await eventually(lambda: len(desk.devices) >= 12 + len(sims.site.meter), 15, "the agent knows its site")
    sealed = desk.sealed(Order(device, Sleep()))
    desk.send(sealed)
    await eventually(lambda: any(row.state == "acknowledged" for _, row in desk.rows), 8, "it was carried out")
    program.kill()
    program.wait()
    await start()
    desk.send(sealed)
    behind_it = desk.order(Order(sims.miners_of("M60S")[0], ReadNow()))
    await desk.until_ended(behind_it, 1)
    assert (await sims.device(device))["executed"]["sleep"] == 1
