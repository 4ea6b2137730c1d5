"""What a Whatsminer answers to cgminer-style reads, in the vendor's keys and units: MH/s, but GH/s in `Factory GHS`."""

import math
from collections.abc import Sequence
from typing import Any

from hardware_sims.miners.machine import Board, Machine, MachineState
from hardware_sims.miners.share import percent_of_shares
from hardware_sims.miners.whatsminer.firmware import full_model
from hardware_sims.scale import GHS_PER_THS, MHS_PER_THS

WINDOWS_S = {"MHS av": math.inf, "MHS 5s": 5.0, "MHS 1m": 60.0, "MHS 5m": 300.0, "MHS 15m": 900.0}
INPUT_V = 230.0
CENTIVOLT = 100
NOT_MEASURED = -1


def summary(machine: Machine, power_limit_w: int, *, measures_power: bool = True) -> dict[str, Any]:
    rates_mhs = _rates_mhs(machine)
    mean_ths = rates_mhs["MHS av"] / MHS_PER_THS
    power_w = round(machine.power_w) if measures_power else NOT_MEASURED
    stable = machine.state is MachineState.HASHING
    elapsed_s = int(machine.elapsed_s)
    return {
        "Elapsed": elapsed_s,
        **{key: round(rate, 2) for key, rate in rates_mhs.items()},
        "Accepted": machine.accepted_shares,
        "Rejected": machine.rejected_shares,
        "Total MH": round(rates_mhs["MHS av"] * elapsed_s),
        "Voltage": round(INPUT_V * CENTIVOLT),
        "Power": power_w,
        "Power_RT": power_w,
        "Power Rate": round(power_w / mean_ths, 2) if mean_ths > 0 else 0.0,
        "Power Current": round(machine.power_w / INPUT_V, 2),
        "Power Mode": machine.power_mode.capitalize(),
        "Power Limit": power_limit_w,
        "Pool Rejected%": percent_of_shares(machine.rejected_shares, machine),
        "Pool Stale%": percent_of_shares(machine.stale_shares, machine),
        "Last getwork": 0,
        "Uptime": int(machine.uptime_s),
        "Security Mode": 0,
        "Hash Stable": stable,
        "Hash Stable Cost Seconds": elapsed_s if stable else 0,
        "Hash Deviation%": 0.0,
        "Target MHS": round(machine.hashrate_expected_ths * MHS_PER_THS),
        "Factory GHS": round(machine.nameplate_ths * GHS_PER_THS),
        "MAC": machine.mac.upper(),
        "Btminer Fast Boot": "disable",
        **_climate(machine),
    }


def _climate(machine: Machine) -> dict[str, Any]:
    boards = machine.boards
    chips = [temp for board in boards for temp in board.chip_temps_c] or [0.0]
    frequency_mhz = round(_mean([board.frequency_mhz for board in boards if board.alive]))
    fans = machine.fan_rpm or (0.0,)
    return {
        "Temperature": round(max((_hottest(board) for board in boards), default=0.0), 2),
        "freq_avg": frequency_mhz,
        "Target Freq": frequency_mhz,
        "Fan Speed In": int(fans[0]),
        "Fan Speed Out": int(fans[-1]),
        "Power Fanspeed": psu_fan_rpm(machine),
        "Env Temp": round(machine.environment_c, 2),
        "Chip Temp Min": round(min(chips), 2),
        "Chip Temp Max": round(max(chips), 2),
        "Chip Temp Avg": round(_mean(chips), 2),
    }


def psu_fan_rpm(machine: Machine) -> int:
    """The supply's own fan follows its load."""
    if machine.nameplate_w <= 0:
        return 0
    return round(2_400 + 5_600 * min(1.0, machine.power_w / machine.nameplate_w))


def devs(machine: Machine) -> list[dict[str, Any]]:
    """One object a board, failed ones included; they carry zeros. Windows of a board are its share of the machine's."""
    rates_mhs = _rates_mhs(machine)
    board_ghs = machine.nameplate_ths / max(1, len(machine.boards)) * GHS_PER_THS
    complete = int(machine.state is MachineState.HASHING)
    return [
        {
            **_dev(board),
            **{key: round(rate * share, 2) for key, rate in rates_mhs.items()},
            "Factory GHS": round(board_ghs),
            "Upfreq Complete": complete,
        }
        for board, share in zip(machine.boards, _shares(machine.boards), strict=True)
    ]


def _dev(board: Board) -> dict[str, Any]:
    alive = board.alive
    chips_c = board.chip_temps_c if alive else (0.0,)
    return {
        "ASC": board.slot,
        "Slot": board.slot,
        "Enabled": "Y",
        "Status": "Alive" if alive else "Dead",
        "Temperature": round(_hottest(board), 2) if alive else 0.0,
        "Chip Frequency": round(board.frequency_mhz),
        "Effective Chips": board.chips_good if alive else 0,
        "PCB SN": board.serial,
        "Chip Temp Min": round(min(chips_c), 2),
        "Chip Temp Max": round(max(chips_c), 2),
        "Chip Temp Avg": round(_mean(chips_c), 2),
    }


def devdetails(machine: Machine) -> list[dict[str, Any]]:
    """`Driver` is what identifies the family, `Model` the exact machine."""
    model = full_model(machine.model)
    return [
        {"DEVDETAILS": slot, "ID": slot, "Name": "SM", "Driver": "bitmicro", "Kernel": "", "Model": model}
        for slot in range(len(machine.boards))
    ]


def pools(machine: Machine) -> list[dict[str, Any]]:
    """Counted from 1 in `POOL`, from 0 in `Priority`; the first one works while the machine hashes."""
    mining = machine.hashrate_ths(60.0) > 0
    return [
        {
            "POOL": priority + 1,
            "URL": pool.url,
            "Status": "Alive",
            "Priority": priority,
            "Quota": 1,
            "Getworks": machine.accepted_shares // 2 if priority == 0 else 0,
            "Accepted": machine.accepted_shares if priority == 0 else 0,
            "Rejected": machine.rejected_shares if priority == 0 else 0,
            "Discarded": 0,
            "Stale": machine.stale_shares if priority == 0 else 0,
            "Get Failures": 0,
            "Remote Failures": 0,
            "User": pool.user,
            "Last Share Time": int(machine.wall_time_s) if priority == 0 and mining else 0,
            "Stratum Active": priority == 0 and mining,
            "Stratum Difficulty": 262_144 if priority == 0 else 0,
            "Pool Rejected%": percent_of_shares(machine.rejected_shares, machine) if priority == 0 else 0.0,
            "Pool Stale%": percent_of_shares(machine.stale_shares, machine) if priority == 0 else 0.0,
            "Bad Work": 0,
            "Current Block Height": 0,
            "Current Block Version": 536_870_916,
        }
        for priority, pool in enumerate(machine.pools)
        if pool.url
    ]


def _rates_mhs(machine: Machine) -> dict[str, float]:
    """`HS RT`, the "real-time" rate, is the one-minute mean."""
    rates = {key: machine.hashrate_ths(window_s) * MHS_PER_THS for key, window_s in WINDOWS_S.items()}
    return {**rates, "HS RT": rates["MHS 1m"]}


def _shares(boards: Sequence[Board]) -> list[float]:
    """Each board's part of the machine's rate; while nothing hashes, equal parts of what is left in long means."""
    rates_ths = [board.hashrate_ths for board in boards]
    total_ths = sum(rates_ths)
    if total_ths > 0:
        return [rate_ths / total_ths for rate_ths in rates_ths]
    alive = [board.alive for board in boards]
    return [is_alive / max(1, sum(alive)) for is_alive in alive]


def _hottest(board: Board) -> float:
    return max(board.pcb_temps_c, default=0.0)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
