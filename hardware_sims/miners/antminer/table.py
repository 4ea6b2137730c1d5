"""The tables that an Antminer's mining process shows on port 4028: rates in GH/s, per-board figures as flat keys."""

import math
from functools import lru_cache
from typing import Any

from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.machine import Board, Machine
from hardware_sims.miners.share import percent_of_shares
from hardware_sims.scale import GHS_PER_THS, MHS_PER_THS

CHIPS_IN_GROUP = 9
NONCES_PER_SHARE = 4
POOL_DIFFICULTY = 131_072
NO_SENSORS = "0-0-0-0"


def version(machine: Machine, firmware: Firmware) -> dict[str, Any]:
    return {
        "BMMiner": "1.0.0",
        "API": "3.1",
        "Miner": firmware.miner_version,
        "CompileTime": firmware.version,
        "Type": machine.model,
    }


def config(machine: Machine) -> dict[str, Any]:
    return {
        "ASC Count": len(machine.boards),
        "PGA Count": 0,
        "Pool Count": len(machine.pools),
        "Strategy": "Failover",
        "Log Interval": 5,
        "Device Code": "SOC ",
        "OS": "Linux",
        "Hotplug": "None",
    }


def summary(machine: Machine) -> dict[str, Any]:
    mean_ths, elapsed_s = machine.hashrate_ths(math.inf), int(machine.elapsed_s)
    errors = hardware_errors(machine)
    return {
        "Elapsed": elapsed_s,
        "GHS 5s": round(machine.hashrate_ths(5) * GHS_PER_THS, 2),
        "GHS av": round(mean_ths * GHS_PER_THS, 2),
        "GHS 30m": round(machine.hashrate_ths(1_800) * GHS_PER_THS, 2),
        "Found Blocks": 0,
        "Getworks": machine.accepted_shares // NONCES_PER_SHARE,
        "Accepted": machine.accepted_shares,
        "Rejected": machine.rejected_shares,
        "Hardware Errors": errors,
        "Utility": round(60 * machine.accepted_shares / elapsed_s, 2) if elapsed_s else 0.0,
        "Discarded": 0,
        "Stale": machine.stale_shares,
        "Get Failures": 0,
        "Local Work": machine.accepted_shares * NONCES_PER_SHARE,
        "Remote Failures": 0,
        "Network Blocks": elapsed_s // 600,
        "Total MH": round(mean_ths * MHS_PER_THS * elapsed_s),
        "Difficulty Accepted": float(machine.accepted_shares * POOL_DIFFICULTY),
        "Difficulty Rejected": float(machine.rejected_shares * POOL_DIFFICULTY),
        "Difficulty Stale": float(machine.stale_shares * POOL_DIFFICULTY),
        "Device Hardware%": error_percent(machine, errors),
        "Device Rejected%": percent_of_shares(machine.rejected_shares, machine),
        "Pool Rejected%": percent_of_shares(machine.rejected_shares, machine),
        "Pool Stale%%": percent_of_shares(machine.stale_shares, machine),  # two per cent signs, as the vendor writes it
        "Last getwork": int(machine.wall_time_s),
    }


def stats(machine: Machine, firmware: Firmware) -> list[dict[str, Any]]:
    """Two objects: the build, then everything else flat; boards and fans count from 1."""
    head = version(machine, firmware)
    del head["API"]
    return [head, _stats(machine, firmware)]


def _stats(machine: Machine, firmware: Firmware) -> dict[str, Any]:
    boards, fans = machine.boards, machine.fan_rpm
    alive = [board for board in boards if board.alive]
    frequency_mhz = round(sum(board.frequency_mhz for board in alive) / len(alive)) if alive else 0
    errors = hardware_errors(machine)
    row: dict[str, Any] = {
        "STATS": 0,
        "ID": "BTM_SOC0",
        "Elapsed": int(machine.elapsed_s),
        "Calls": 0,
        "Wait": 0.0,
        "Max": 0.0,
        "Min": 99999999.0,
        "GHS 5s": round(machine.hashrate_ths(5) * GHS_PER_THS, 2),
        "GHS av": round(machine.hashrate_ths(math.inf) * GHS_PER_THS, 2),
        "rate_30m": round(machine.hashrate_ths(1_800) * GHS_PER_THS, 2),
        "Mode": 2,
        "miner_count": len(boards),
        "frequency": frequency_mhz,
        "fan_num": len(fans),
        **{f"fan{number}": int(rpm) for number, rpm in enumerate(fans, 1)},
        "temp_num": len(boards),
        "total_rateideal": round(machine.hashrate_expected_ths * GHS_PER_THS, 2),
        "rate_unit": firmware.rate_unit,
        "total_freqavg": frequency_mhz,
        "no_matching_work": errors,
        "Device Hardware%": error_percent(machine, errors),
    }
    for board in boards:
        _add_board(row, board)
    row["total_acn"] = sum(row[f"chain_acn{board.slot + 1}"] for board in boards)
    row["total rate"] = round(sum(float(row[f"chain_rate{board.slot + 1}"]) for board in alive), 2)
    row["temp_max"] = max((row[f"temp2_{board.slot + 1}"] for board in boards), default=0)
    return row | {"miner_version": firmware.miner_version, "miner_id": "no miner id now"}


def _add_board(row: dict[str, Any], board: Board) -> None:
    """A failed board keeps its keys: no chips, an empty rate, sensors at 0."""
    n = board.slot + 1
    row[f"chain_hw{n}"] = board.hardware_errors
    row[f"freq{n}"] = round(board.frequency_mhz)
    if not board.alive:
        row |= {f"temp{n}": 0, f"temp2_{n}": 0, f"chain_acn{n}": 0, f"chain_acs{n}": ""}
        row |= {f"temp_pcb{n}": NO_SENSORS, f"temp_chip{n}": NO_SENSORS, f"temp_pic{n}": NO_SENSORS}
        row |= {f"chain_rate{n}": "", f"chain_rateideal{n}": ""}
        return
    pcb_c = [round(temp) for temp in board.pcb_temps_c]
    chip_c = [round(temp) for temp in board.chip_temps_c]
    row[f"temp{n}"] = max(pcb_c, default=0)
    row[f"temp2_{n}"] = max(chip_c, default=0)
    row[f"temp_pcb{n}"] = row[f"temp_pic{n}"] = "-".join(map(str, pcb_c))
    row[f"temp_chip{n}"] = "-".join(map(str, chip_c))
    row[f"chain_acn{n}"] = board.chips
    row[f"chain_acs{n}"] = chip_map(board.chips, board.chips_good)
    row[f"chain_rate{n}"] = f"{board.hashrate_ths * GHS_PER_THS:.2f}"
    row[f"chain_rateideal{n}"] = f"{board.hashrate_expected_ths * GHS_PER_THS:.2f}"


def devs(machine: Machine) -> list[dict[str, Any]]:
    """Useless on stock builds: one device, all zeros, one misspelt key."""
    return [
        {
            "ASC": 0,
            "Name": "BTM_SOC",
            "ID": 0,
            "Enabled": "Y",
            "Status": "Alive",
            "Tenperature": 0.0,
            "MHS av": 0.0,
            "MHS 5s": 0.0,
            "Accepted": 0,
            "Rejected": 0,
            "Hardware Errors": 0,
            "Utility": 0.0,
            "Last Share Pool": -1,
            "Last Share Time": 0,
            "Total MH": 0.0,
            "Device Elapsed": int(machine.elapsed_s),
        }
    ]


def pools(machine: Machine) -> list[dict[str, Any]]:
    """Counted from 0; the first one works while the machine hashes. The time of the last share is a duration."""
    mining = machine.hashrate_ths(60) > 0
    rows = []
    for number, pool in enumerate(machine.pools):
        first = number == 0
        row = {
            "POOL": number,
            "URL": pool.url,
            "Status": "Alive",
            "Priority": number,
            "Quota": 1,
            "Long Poll": "N",
            "Getworks": machine.accepted_shares // NONCES_PER_SHARE if first else 0,
            "Accepted": machine.accepted_shares if first else 0,
            "Rejected": machine.rejected_shares if first else 0,
            "Discarded": 0,
            "Stale": machine.stale_shares if first else 0,
            "Get Failures": 0,
            "Remote Failures": 0,
            "User": pool.user,
            "Last Share Time": "0:00:05" if first and mining else "0",
            "Diff": "131K",
            "Diff1 Shares": 0,
            "Proxy Type": "",
            "Proxy": "",
            "Difficulty Accepted": float(machine.accepted_shares * POOL_DIFFICULTY) if first else 0.0,
            "Difficulty Rejected": float(machine.rejected_shares * POOL_DIFFICULTY) if first else 0.0,
            "Difficulty Stale": 0.0,
            "Last Share Difficulty": float(POOL_DIFFICULTY) if first else 0.0,
            "Has Stratum": True,
            "Stratum Active": first and mining,
            "Stratum URL": pool.url.rsplit("://", 1)[-1].rsplit(":", 1)[0] if first and mining else "",
            "Has GBT": False,
            "Best Share": 0.0,
            "Pool Rejected%": percent_of_shares(machine.rejected_shares, machine) if first else 0.0,
            "Pool Stale%%": percent_of_shares(machine.stale_shares, machine) if first else 0.0,
        }
        rows.append(row)
    return rows


def hardware_errors(machine: Machine) -> int:
    return sum(board.hardware_errors for board in machine.boards)


def error_percent(machine: Machine, errors: int) -> float:
    """Wrong nonces in percent of all nonces, four decimals."""
    nonces = machine.accepted_shares * NONCES_PER_SHARE + errors
    return round(100 * errors / nonces, 4) if nonces else 0.0


@lru_cache(maxsize=256)
def chip_map(chips: int, good: int) -> str:
    """`o` a good chip, `x` a bad one, a blank before each group; the bad ones stand at the end."""
    marks = "o" * good + "x" * (chips - good)
    return "".join(" " + marks[start : start + CHIPS_IN_GROUP] for start in range(0, chips, CHIPS_IN_GROUP))
