"""What a Whatsminer answers to `status` and the `get_*` reads: one object of mostly strings under `Msg`."""

from datetime import UTC, datetime
from typing import Any

from hardware_sims.miners.machine import Machine, MachineState
from hardware_sims.miners.whatsminer.firmware import Firmware, full_model
from hardware_sims.miners.whatsminer.reading import INPUT_V, psu_fan_rpm

STOPPED = frozenset({MachineState.SLEEPING, MachineState.STOPPED_THERMAL, MachineState.FAULT})
BOARD_TOO_HOT = 350  # + slot
BOARD_NOT_FOUND = 530  # + slot
POWER_SUPPLY = 205
MILLIAMPERE = 1_000
CENTIVOLT = 100
REASONS = {
    MachineState.SLEEPING: "by whatsminer api",
    MachineState.STOPPED_THERMAL: "over temperature",
    MachineState.FAULT: "error",
}


def status(machine: Machine, firmware: Firmware, percent: int | None, off_since_s: float | None) -> dict[str, str]:
    """Booleans and numbers are strings here."""
    off = machine.state in STOPPED
    return {
        "mineroff": "true" if off else "false",
        "mineroff_reason": REASONS[machine.state] if off else "",
        "mineroff_time": _stamp(off_since_s) if off and off_since_s is not None else "",
        "FirmwareVersion": f"'{firmware.version}'",
        "power_mode": machine.power_mode,
        "power_limit_set": "" if machine.power_limit_w is None else str(machine.power_limit_w),
        "hash_percent": "",
        "power_pct": "100" if percent is None else str(percent),
    }


def miner_info(machine: Machine) -> dict[str, str]:
    return {
        "ip": machine.address,
        "proto": "dhcp",
        "netmask": "255.255.255.0",
        "gateway": "",
        "dns": "",
        "hostname": machine.hostname,
        "mac": machine.mac.upper(),
        "ledstat": "1,200,100,0 0,200,100,0 " if machine.blinking else "auto",
        "minersn": machine.serial,
        "powersn": f"PS{machine.serial}",
        "upfreq_speed": "0",
    }


def version(machine: Machine, firmware: Firmware) -> dict[str, str]:
    return {
        "api_ver": firmware.api_version,
        "fw_ver": firmware.version,
        "platform": firmware.platform,
        "chip": "KF1968-2211",
        "miner_type": full_model(machine.model),
    }


def psu(machine: Machine) -> dict[str, str]:
    return {
        "name": "P463A",
        "hw_version": "7.02",
        "sw_version": "07023",
        "model": "P463A",
        "iin": str(round(machine.power_w / INPUT_V * MILLIAMPERE)),
        "vin": str(round(INPUT_V * CENTIVOLT)),
        "pin": str(round(machine.power_w)),
        "fan_speed": str(psu_fan_rpm(machine)),
        "version": "-1",
        "serial_no": f"PS{machine.serial}",
        "vendor": "1",
        "temp0": f"{machine.environment_c + 18:.1f}",
    }


def present_errors(machine: Machine) -> list[int]:
    """The vendor's numbers: 2xx power supply, 3xx temperature, 5xx hash board; the last digit is the slot."""
    codes = [BOARD_NOT_FOUND + board.slot for board in machine.boards if not board.alive]
    if machine.state is MachineState.STOPPED_THERMAL:
        hottest = max(machine.boards, key=lambda board: max(board.chip_temps_c, default=0.0))
        codes.append(BOARD_TOO_HOT + hottest.slot)
    if machine.state is MachineState.FAULT and not codes:
        codes.append(POWER_SUPPLY)
    return codes


def error_list(since_s: dict[int, float], firmware: Firmware) -> list[Any]:
    """`{"218": "2024-06-15 10:30:00"}` an error, or bare numbers on the builds that print those."""
    if firmware.error_codes == "bare":
        return list(since_s)
    return [{str(code): _stamp(at_s)} for code, at_s in since_s.items()]


def _stamp(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, tz=UTC):%Y-%m-%d %H:%M:%S}"
