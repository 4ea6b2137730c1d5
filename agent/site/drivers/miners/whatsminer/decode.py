"""Replies of Whatsminer API 1 and 2 (reference: section 3.2) as values in our units."""

from typing import Any

from agent.site.devices.reading import BoardReading
from agent.site.drivers.miners.field import count, flag, hottest, number, text
from agent.site.drivers.miners.reply import Row, rows
from agent.site.drivers.miners.sheet import Sheet, board_sheet
from shared.states import PowerSource
from shared.units import GHS_PER_THS, MHS_PER_THS

_MOST_FAULTS = 32


def put_summary(sheet: Sheet, row: Row) -> PowerSource:
    """`SUMMARY[0]`. The windows of at most a minute are tried from the shortest on; averages are never a rate."""
    rate_mhs = number(row, "MHS 5s", "HS RT", "MHS 1m")
    sheet.put("hashrate_ths", None if rate_mhs is None else rate_mhs / MHS_PER_THS)
    sheet.put("hashrate_expected_ths", _expected_ths(row))
    power_w = _measured(row, "Power_RT", "Power")
    sheet.put("power_w", power_w)
    sheet.put("power_limit_w", number(row, "Power Limit") or None)
    sheet.put("chip_temp_c", hottest([number(row, "Chip Temp Max")]))
    sheet.put("board_temp_c", hottest([number(row, "Temperature")]))
    sheet.put("inlet_temp_c", number(row, "Env Temp") or None)
    fans = [speed for speed in (number(row, "Fan Speed In"), number(row, "Fan Speed Out")) if speed is not None]
    sheet.put("fan_rpm", min(fans, default=None))
    sheet.put("uptime_s", count(row, "Uptime"))
    sheet.put("mining_uptime_s", count(row, "Elapsed"))
    sheet.put("accepted_shares", count(row, "Accepted"))
    sheet.put("rejected_shares", count(row, "Rejected"))
    sheet.put("hardware_errors", count(row, "Hardware Errors"))
    return PowerSource.NONE if power_w is None else PowerSource.MEASURED_INPUT


def power_mode(row: Row) -> str | None:
    return text(row, "Power Mode", "power_mode").lower() or None


def is_off(reply: Row) -> bool | None:
    """`status`: told to stop hashing? The flag is a string, and version 1 names it otherwise."""
    return flag(message(reply), "mineroff", "btmineroff")


def message(reply: Row) -> Row:
    """`Msg`, where it is an object."""
    return next(iter(rows(reply, "Msg")), {})


def boards(reply: Row) -> tuple[BoardReading, ...]:
    return tuple(_board(row, index) for index, row in enumerate(rows(reply, "DEVS")[:16]))


def pools(reply: Row) -> list[tuple[str, str]]:
    """(URL, user) of each pool that is set, in the order of `POOL`, which counts from 1."""
    found = sorted(rows(reply, "POOLS"), key=lambda row: number(row, "POOL") or 0.0)
    return [(text(row, "URL"), text(row, "User")) for row in found if text(row, "URL")]


def faults(reply: Row) -> tuple[str, ...]:
    """`get_error_code`: numbers, or numbers with their time; both are kept as the device writes them."""
    listed = message(reply).get("error_code")
    return tuple(_fault(entry) for entry in listed[:_MOST_FAULTS]) if isinstance(listed, list) else ()


def summary_faults(row: Row) -> tuple[str, ...]:
    """Version 1 lists its errors in the summary."""
    codes = (row.get(f"Error Code {index}") for index in range(min(count(row, "Error Code Count") or 0, _MOST_FAULTS)))
    return tuple(f"error {code}" for code in codes if isinstance(code, int | str))


def _expected_ths(row: Row) -> float | None:
    factory_ghs = number(row, "Factory GHS")
    if factory_ghs:
        return factory_ghs / GHS_PER_THS
    target_mhs = number(row, "Target MHS")
    return target_mhs / MHS_PER_THS if target_mhs else None


def _measured(row: Row, *keys: str) -> float | None:
    """−1 means "not measured"."""
    found = [value for value in (number(row, key) for key in keys) if value is not None and value >= 0]
    return next((value for value in found if value), found[0] if found else None)


def _board(row: Row, index: int) -> BoardReading:
    sheet = board_sheet()
    rate_mhs, factory_ghs = number(row, "MHS 5s", "MHS 1m"), number(row, "Factory GHS")
    sheet.put("hashrate_ths", None if rate_mhs is None else rate_mhs / MHS_PER_THS)
    sheet.put("hashrate_expected_ths", factory_ghs / GHS_PER_THS if factory_ghs else None)
    sheet.put("chip_temp_c", hottest([number(row, "Chip Temp Max")]))
    sheet.put("board_temp_c", hottest([number(row, "Temperature")]))
    sheet.put("chips_good", count(row, "Effective Chips"))
    sheet.put("frequency_mhz", number(row, "Chip Frequency") or None)
    sheet.put("hardware_errors", count(row, "Hardware Errors"))
    slot = count(row, "Slot", "ASC")
    return sheet.board(index if slot is None or slot > 15 else slot)


def _fault(entry: Any) -> str:
    if isinstance(entry, dict):
        return ", ".join(f"error {code} since {since}"[:120] for code, since in list(entry.items())[:4])
    return f"error {entry}"[:120]
