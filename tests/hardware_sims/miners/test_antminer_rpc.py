"""An Antminer's port 4028: tables, units, misspellings, refusals."""

import asyncio
import json

import pytest

from hardware_sims.miners.antminer import AntminerServer, Firmware
from hardware_sims.miners.machine import MachineState


@pytest.fixture
async def port(machine, faults, serve) -> int:
    return (await serve(AntminerServer(machine, faults, firmware=Firmware("Fri Nov 26 17:37:29 CST 2021"))))[4028]


async def test_version(port, ask):
    reply = await ask(port, "version")
    assert reply["STATUS"] == [
        {"STATUS": "S", "When": 1750005626, "Code": 22, "Msg": "CGMiner versions", "Description": "cgminer 1.0.0"}
    ]
    assert reply["VERSION"][0]["Type"] == "Antminer S19j Pro"
    assert reply["id"] == 1


async def test_summary_is_in_ghs(port, ask):
    row = (await ask(port, "summary"))["SUMMARY"][0]
    assert (row["GHS 5s"], row["GHS 30m"], row["GHS av"]) == (101_000.0, 97_000.0, 96_000.0)
    assert (row["Elapsed"], row["Accepted"], row["Rejected"], row["Hardware Errors"]) == (3600, 4000, 8, 21)
    assert row["Pool Stale%%"] == pytest.approx(0.0499)


async def test_stats_is_flat(port, ask, machine):
    machine.boards[1].chips_good = 124
    head, row = (await ask(port, "stats"))["STATS"]
    assert (head["Type"], head["Miner"]) == ("Antminer S19j Pro", "uart_trans.1.3")
    assert "API" not in head
    assert (row["rate_unit"], row["total_rateideal"]) == ("GH", 102_000.0)
    assert (row["chain_rate1"], row["chain_acn1"], row["freq1"]) == ("33500.00", 126, 525)
    assert row["temp_pcb1"] == "45-46-55-56"
    assert row["temp_chip1"] == "60-61-70-71"
    assert row["temp_pic1"] == row["temp_pcb1"]
    assert (row["fan1"], row["fan4"], row["fan_num"]) == (6000, 6005, 4)
    assert row["chain_acs1"].replace(" ", "") == "o" * 126
    assert row["chain_acs2"].count("x") == 2
    assert row["chain_acs2"].startswith(" ooooooooo o")
    assert (row["total_acn"], row["total rate"], row["temp_max"]) == (378, 100_500.0, 71)


async def test_a_failed_board_has_an_empty_rate(port, ask, machine):
    machine.boards[2].alive = False
    row = (await ask(port, "stats"))["STATS"][1]
    assert (row["chain_rate3"], row["chain_acn3"], row["temp_pcb3"], row["chain_acs3"]) == ("", 0, "0-0-0-0", "")
    assert row["total_acn"] == 252


async def test_devs_is_useless_and_misspelt(port, ask):
    row = (await ask(port, "devs"))["DEVS"][0]
    assert row["Tenperature"] == 0
    assert row["MHS 5s"] == 0


async def test_pools_count_from_zero(port, ask):
    rows = (await ask(port, "pools"))["POOLS"]
    assert [row["POOL"] for row in rows] == [0, 1]
    assert rows[0]["Last Share Time"] == "0:00:05"
    assert (rows[0]["Stratum Active"], rows[0]["Stratum URL"]) == (True, "pool-a.example")


async def test_config(port, ask):
    reply = await ask(port, "config")
    assert reply["STATUS"][0]["Code"] == 33
    assert reply["CONFIG"][0]["Pool Count"] == 2


@pytest.mark.parametrize("command", ["nonsense", "summary+devs", "restart", "addpool", "get_token", ""])
async def test_code_14(port, ask, command):
    reply = await ask(port, command)
    assert (reply["STATUS"][0]["STATUS"], reply["STATUS"][0]["Code"]) == ("E", 14)
    assert reply["STATUS"][0]["Msg"] == "Invalid command"


@pytest.mark.parametrize("request_", [{}, {"cmd": "summary"}, {"command": 1}])
async def test_code_24_without_a_command(port, ask, request_):
    assert (await ask(port, request_))["STATUS"][0]["Code"] == 24


async def test_code_23(port, exchange):
    reply = json.loads((await exchange(port, b"summary"))[:-1])
    assert (reply["STATUS"][0]["Code"], reply["STATUS"][0]["Msg"]) == (23, "Invalid JSON")


async def test_a_build_that_joins(machine, faults, serve, ask):
    ports = await serve(AntminerServer(machine, faults, firmware=Firmware("2019", joins_commands=True)))
    reply = await ask(ports[4028], "summary+pools")
    assert reply["summary"][0]["SUMMARY"][0]["GHS 5s"] == 101_000.0
    assert len(reply["pools"][0]["POOLS"]) == 2
    assert reply["id"] == 1
    assert (await ask(ports[4028], "summary+nonsense"))["STATUS"][0]["Code"] == 14


@pytest.mark.parametrize("rpc_sleeps", [True, False])
async def test_some_builds_close_the_port_in_sleep(machine, faults, serve, exchange, rpc_sleeps):
    ports = await serve(AntminerServer(machine, faults, firmware=Firmware("x", rpc_sleeps=rpc_sleeps)))
    machine.state = MachineState.SLEEPING
    reply = await exchange(ports[4028], b'{"command":"summary"}')
    assert (reply == b"") is rpc_sleeps


async def test_a_closed_port_refuses_connections_until_the_process_runs_again(machine, faults, serve, exchange):
    ports = await serve(AntminerServer(machine, faults, firmware=Firmware("x", rpc_sleeps=True)))
    machine.state = MachineState.SLEEPING
    assert await exchange(ports[4028], b'{"command":"summary"}') == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", ports[4028])
    machine.state = MachineState.HASHING
    async with asyncio.timeout(5):
        while not await answered(exchange, ports[4028]):
            await asyncio.sleep(0.05)


async def answered(exchange, port) -> bool:
    try:
        return bool(await exchange(port, b'{"command":"summary"}'))
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("state", [MachineState.OFF, MachineState.BOOTING])
async def test_nothing_answers_without_a_control_board(port, exchange, machine, state):
    machine.state = state
    assert await exchange(port, b'{"command":"summary"}') == b""


def test_the_model_and_the_serial_draw_the_build():
    assert {Firmware.drawn("Antminer S21", f"SN{n}").mode_key for n in range(40)} == {"miner-mode", "bitmain-work-mode"}
    assert Firmware.drawn("Antminer S21 Pro", "SN1") == Firmware.drawn("Antminer S21 Pro", "SN1")
    assert Firmware.drawn("Antminer X", "SN1").mode_key == "miner-mode"
