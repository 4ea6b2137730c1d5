"""The documents of a BitAxe: rates in GH/s, input in mV and mA, power in W."""

from typing import Any

from hardware_sims.miners.axeos.board import BoardKind
from hardware_sims.miners.axeos.setting import Settings, parts_of
from hardware_sims.miners.machine import Machine, MachineState
from hardware_sims.scale import GHS_PER_THS

VERSION = "v2.9.0"
INPUT_MV = 5_000.0
MILLI = 1_000
REGULATOR_RISE_C = 8.0
FAN_FULL_RPM = 5_200.0
POOL_DIFFICULTY = 1_000
ONE_MINUTE_S = 60.0


def system_info(machine: Machine, kind: BoardKind, settings: Settings) -> dict[str, Any]:
    (host, port, pool), (fallback_host, fallback_port, fallback) = parts_of(machine.pools)
    return {
        **_electrical(machine),
        **_hashing(machine),
        **_identity(machine, kind),
        "stratumURL": host,
        "stratumPort": port,
        "stratumUser": pool.user,
        "fallbackStratumURL": fallback_host,
        "fallbackStratumPort": fallback_port,
        "fallbackStratumUser": fallback.user,
        "isUsingFallbackStratum": 0,
        "poolDifficulty": POOL_DIFFICULTY,
        "responseTime": 32.5,
        "uptimeSeconds": int(machine.uptime_s),
        "smallCoreCount": kind.small_cores,
        "frequency": settings.frequency_mhz,
        **settings.stored,
    }


def _electrical(machine: Machine) -> dict[str, Any]:
    power_w = machine.power_w
    board = machine.boards[0] if machine.boards else None
    chip_c = max(board.chip_temps_c, default=0.0) if board else 0.0
    fan_rpm = machine.fan_rpm[0] if machine.fan_rpm else 0.0
    return {
        "power": round(power_w, 2),
        "voltage": INPUT_MV,
        "current": round(power_w / INPUT_MV * MILLI * MILLI, 2),
        "maxPower": round(machine.nameplate_w * 2),
        "nominalVoltage": 5,
        "temp": round(chip_c, 2),
        "vrTemp": round(chip_c + REGULATOR_RISE_C, 1),
        "fanrpm": round(fan_rpm),
        "fanperc": round(min(100.0, 100 * fan_rpm / FAN_FULL_RPM)),
        "coreVoltageActual": round(board.voltage_v * MILLI) if board else 0,
        "power_fault": "Power fault" if machine.state is MachineState.FAULT else None,
    }


def _hashing(machine: Machine) -> dict[str, Any]:
    rejected = machine.rejected_shares
    return {
        "hashRate": machine.hashrate_ths(ONE_MINUTE_S) * GHS_PER_THS,  # all digits, as a device prints its float
        "expectedHashrate": machine.hashrate_expected_ths * GHS_PER_THS,
        "bestDiff": "0",
        "bestSessionDiff": "0",
        "sharesAccepted": machine.accepted_shares,
        "sharesRejected": rejected,
        "sharesRejectedReasons": [{"message": "Job not found", "count": rejected}] if rejected else [],
    }


def _identity(machine: Machine, kind: BoardKind) -> dict[str, Any]:
    return {
        "ASICModel": kind.asic,
        "boardVersion": kind.version,
        "version": VERSION,
        "axeOSVersion": VERSION,
        "idfVersion": "v5.4",
        "runningPartition": "ota_0",
        "macAddr": machine.mac.upper(),
        "hostname": machine.hostname,
        "ssid": "site",
        "ipv4": machine.address,
        "wifiStatus": "Connected!",
        "wifiRSSI": -52,
        "apEnabled": 0,
        "freeHeap": 8_200_000,
    }


def asic(kind: BoardKind) -> dict[str, Any]:
    return {
        "ASICModel": kind.asic,
        "deviceModel": kind.device,
        "asicCount": kind.chips,
        "defaultFrequency": kind.frequency_mhz,
        "frequencyOptions": kind.frequencies_mhz,
        "defaultVoltage": kind.core_mv,
        "voltageOptions": kind.core_options_mv,
    }
