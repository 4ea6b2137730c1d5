"""The read-only CGI documents of an Antminer's web server; boards count from 0 here, sensors are lists."""

import math
from typing import Any

from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.antminer.table import NONCES_PER_SHARE, chip_map, error_percent, hardware_errors
from hardware_sims.miners.machine import Board, Machine, MachineState
from hardware_sims.scale import GHS_PER_THS

RATE_UNIT = "GH/s"
MIN_FAN_RPM = 600
SLOW_RATE = 0.8  # of what is expected; below, the summary complains
ALGORITHM = "sha256d"


def envelope(machine: Machine, firmware: Firmware, name: str) -> dict[str, Any]:
    """`STATUS` and `INFO`, which `summary`, `stats` and `pools` have in common."""
    return {
        "STATUS": {"STATUS": "S", "when": int(machine.wall_time_s), "Msg": name, "api_version": "1.0.0"},
        "INFO": {"miner_version": firmware.miner_version, "CompileTime": firmware.version, "type": machine.model},
    }


def summary(machine: Machine) -> list[dict[str, Any]]:
    return [{**_rates(machine), "hw_all": hardware_errors(machine), "bestshare": 0, "status": _checks(machine)}]


def _rates(machine: Machine) -> dict[str, Any]:
    return {
        "elapsed": int(machine.elapsed_s),
        "rate_5s": round(machine.hashrate_ths(5) * GHS_PER_THS, 2),
        "rate_30m": round(machine.hashrate_ths(1_800) * GHS_PER_THS, 2),
        "rate_avg": round(machine.hashrate_ths(math.inf) * GHS_PER_THS, 2),
        "rate_ideal": round(machine.hashrate_expected_ths * GHS_PER_THS, 2),
        "rate_unit": RATE_UNIT,
    }


def _checks(machine: Machine) -> list[dict[str, Any]]:
    """Four self-tests; a `status` other than `s` is a fault."""
    slow = (
        machine.state is MachineState.HASHING and machine.hashrate_ths(60) < SLOW_RATE * machine.hashrate_expected_ths
    )
    fan_stands = machine.state is not MachineState.SLEEPING and any(rpm < MIN_FAN_RPM for rpm in machine.fan_rpm)
    findings = {
        "rate": "hash rate is low" if slow or any(not board.alive for board in machine.boards) else "",
        "network": "" if machine.pools else "no pool",
        "fans": "fan speed is abnormal" if fan_stands else "",
        "temp": "temperature is too high" if machine.state is MachineState.STOPPED_THERMAL else "",
    }
    return [
        {"type": kind, "status": "e" if text else "s", "code": 1 if text else 0, "msg": text}
        for kind, text in findings.items()
    ]


def stats(machine: Machine, mode: str | int) -> list[dict[str, Any]]:
    return [
        {
            **_rates(machine),
            "chain_num": len(machine.boards),
            "fan_num": len(machine.fan_rpm),
            "fan": [int(rpm) for rpm in machine.fan_rpm],
            "hwp_total": error_percent(machine, hardware_errors(machine)),
            "miner-mode": mode,
            "freq-level": 100,
            "chain": [_chain(board) for board in machine.boards],
        }
    ]


def _chain(board: Board) -> dict[str, Any]:
    """A failed board shows no chips and no sensors."""
    alive = board.alive
    pcb_c = [round(temp) for temp in board.pcb_temps_c] if alive else []
    return {
        "index": board.slot,
        "freq_avg": round(board.frequency_mhz),
        "rate_ideal": round(board.hashrate_expected_ths * GHS_PER_THS, 2),
        "rate_real": round(board.hashrate_ths * GHS_PER_THS, 2),
        "asic_num": board.chips if alive else 0,
        "asic": chip_map(board.chips, board.chips_good) if alive else "",
        "temp_pic": pcb_c,
        "temp_pcb": pcb_c,
        "temp_chip": [round(temp) for temp in board.chip_temps_c] if alive else [],
        "hw": board.hardware_errors,
        "eeprom_loaded": alive,
        "sn": board.serial,
    }


def pools(machine: Machine) -> list[dict[str, Any]]:
    mining = machine.hashrate_ths(60) > 0
    return [
        {
            "index": number,
            "url": pool.url,
            "user": pool.user,
            "status": "Alive",
            "priority": number,
            "getworks": machine.accepted_shares // NONCES_PER_SHARE if number == 0 else 0,
            "accepted": machine.accepted_shares if number == 0 else 0,
            "rejected": machine.rejected_shares if number == 0 else 0,
            "discarded": 0,
            "stale": machine.stale_shares if number == 0 else 0,
            "diff": "131K",
            "diff1": 0,
            "diffa": 0.0,
            "diffr": 0,
            "diffs": 0,
            "lsdiff": 0,
            "lstime": "0:00:05" if number == 0 and mining else "0",
        }
        for number, pool in enumerate(machine.pools)
    ]


def system_info(machine: Machine, firmware: Firmware) -> dict[str, Any]:
    return {
        "minertype": machine.model,
        **_network(machine),
        "hostname": machine.hostname,
        "gateway": "",
        "dnsservers": "",
        "system_mode": "GNU/Linux",
        "system_kernel_version": "Linux 4.6.0-xilinx-gff8137b-dirty #25 SMP PREEMPT Fri Nov 23 15:30:52 CST 2018",
        "system_filesystem_version": firmware.version,
        "firmware_type": "Release",
        "Algorithm": ALGORITHM,
        "serinum": machine.serial,
    }


def network_info(machine: Machine) -> dict[str, Any]:
    return {
        **_network(machine),
        "conf_nettype": "DHCP",
        "conf_hostname": machine.hostname,
        "conf_ipaddress": "",
        "conf_netmask": "",
        "conf_gateway": "",
        "conf_dnsservers": "",
    }


def _network(machine: Machine) -> dict[str, str]:
    return {
        "nettype": "DHCP",
        "netdevice": "eth0",
        "macaddr": machine.mac.upper(),
        "ipaddress": machine.address,
        "netmask": "255.255.255.0",
    }
