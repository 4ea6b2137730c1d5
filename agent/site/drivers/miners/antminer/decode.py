"""Replies of Bitmain's firmware (reference: section 3.1) as values in our units."""

import re
from functools import lru_cache
from typing import Any

from agent.site.devices.reading import BoardReading
from agent.site.drivers.miners.field import as_number, count, hottest, number, text
from agent.site.drivers.miners.reply import Row, rows, status
from agent.site.drivers.miners.sheet import Sheet, board_sheet
from shared.errors import ProtocolViolation
from shared.quality import Quality
from shared.units import GHS_PER_THS, MHS_PER_THS

PLACES_OF_TODAY = 4  # more numbered fields than that are places of older models, most of them empty
_NUMBERED = re.compile(r"([a-z_]+?)(\d{1,2})")
_SENSORS = re.compile(r"\d{1,3}(?:-\d{1,3}){0,7}")
_PER_THS = {"GH": GHS_PER_THS, "GH/S": GHS_PER_THS, "MH": MHS_PER_THS, "MH/S": MHS_PER_THS, "TH": 1.0, "TH/S": 1.0}

Numbered = dict[str, dict[int, Any]]


def put_summary(sheet: Sheet, reply: Row) -> None:
    """Socket `summary`: the rate over five seconds and the counters of the running process."""
    row = _first(reply, "SUMMARY")
    rate_ghs = number(row, "GHS 5s")
    sheet.put("hashrate_ths", None if rate_ghs is None else rate_ghs / GHS_PER_THS)
    sheet.put("mining_uptime_s", count(row, "Elapsed"))
    sheet.put("accepted_shares", count(row, "Accepted"))
    sheet.put("rejected_shares", count(row, "Rejected"))
    sheet.put("hardware_errors", count(row, "Hardware Errors"))


def put_stats(sheet: Sheet, reply: Row) -> None:
    """Socket `stats`: expected rate, hottest chip and board, slowest fan, boards that hash."""
    row = _board_row(reply)
    numbered = _numbered(row)
    per_ths, quality = _unit(row)
    ideal = number(row, "total_rateideal")
    sheet.put("hashrate_expected_ths", ideal / per_ths if ideal else None, quality)
    sheet.put("fan_rpm", _slowest_fan(numbered.get("fan", {})))
    sheet.put("chip_temp_c", hottest(list(map(_hottest_sensor, numbered.get("temp_chip", {}).values()))))
    sheet.put("board_temp_c", hottest(list(map(_hottest_sensor, numbered.get("temp_pcb", {}).values()))))
    chips = numbered.get("chain_acn", {})
    if chips:
        sheet.put("boards_hashing", sum(1 for rate in numbered.get("chain_rate", {}).values() if as_number(rate)))
        if len(chips) <= PLACES_OF_TODAY:
            sheet.put("boards_expected", len(chips), Quality.DERIVED)


def boards(reply: Row) -> tuple[BoardReading, ...]:
    """Socket `stats`, board by board."""
    row = _board_row(reply)
    numbered = _numbered(row)
    per_ths, _ = _unit(row)
    return tuple(_board(numbered, place, slot, per_ths) for slot, place in _places(numbered.get("chain_acn", {})))


def web_faults(reply: Row) -> tuple[str, ...]:
    """CGI `summary`: each self-check that does not say "s"."""
    checks = [check for row in rows(reply, "SUMMARY") for check in rows(row, "status")]
    failed = [check for check in checks if text(check, "status") not in ("s", "")]
    return tuple(
        " ".join(filter(None, (text(check, "type"), str(check.get("code", ""))[:20], text(check, "msg"))))
        for check in failed[:16]
    )


def pool_urls(reply: Row, section: str = "POOLS", key: str = "URL") -> tuple[str, ...]:
    """The pools that are set, in their order."""
    return tuple(url for url in (text(row, key) for row in rows(reply, section)) if url)


def _first(reply: Row, section: str) -> Row:
    found = rows(reply, section)
    if not found:
        raise _incomplete(reply, section)
    return found[0]


def _board_row(reply: Row) -> Row:
    """The flat object with `chain_*` in it; another one before it says who answers."""
    row = next((row for row in rows(reply, "STATS") if any(key.startswith("chain_") for key in row)), None)
    if row is None:
        raise _incomplete(reply, "STATS")
    return row


def _incomplete(reply: Row, section: str) -> ProtocolViolation:
    said = status(reply)
    return ProtocolViolation(f"the reply has no {section}: {said.letter} {said.code} {said.message!r}")


def _numbered(row: Row) -> Numbered:
    """`chain_rate1`, `chain_rate2` … by name and number."""
    found: Numbered = {}
    for key, value in row.items():
        name, number = _name_and_number(key)
        if number is not None:
            found.setdefault(name, {})[number] = value
    return found


@lru_cache(maxsize=1024)  # all machines of a model send the same seventy names each second
def _name_and_number(key: str) -> tuple[str, int | None]:
    match = _NUMBERED.fullmatch(key)
    return ("", None) if match is None else (match[1], int(match[2]))


def _unit(row: Row) -> tuple[float, Quality]:
    """Divisor to TH/s by `rate_unit`; GH/s where it is absent, and a doubt where it is unknown."""
    unit = text(row, "rate_unit").upper()
    if not unit:
        return GHS_PER_THS, Quality.GOOD
    return _PER_THS.get(unit, GHS_PER_THS), Quality.GOOD if unit in _PER_THS else Quality.UNIT_SUSPECT


def _places(chips: dict[int, Any]) -> list[tuple[int, int]]:
    """(slot, vendor's number) of each board: all places of today's models, the occupied ones of older models."""
    numbers = sorted(chips)
    if len(numbers) > PLACES_OF_TODAY:
        numbers = [place for place in numbers if as_number(chips[place])]
    return [(place - numbers[0], place) for place in numbers]


def _board(numbered: Numbered, place: int, slot: int, per_ths: float) -> BoardReading:
    sheet = board_sheet()
    at = {name: values.get(place) for name, values in numbered.items()}
    rate = as_number(at.get("chain_rate"))
    sheet.put("hashrate_ths", None if rate is None else rate / per_ths)
    sheet.put("chip_temp_c", _hottest_sensor(at.get("temp_chip")))
    sheet.put("board_temp_c", _hottest_sensor(at.get("temp_pcb")))
    sheet.put("frequency_mhz", as_number(at.get("freq")) or None)
    sheet.put("hardware_errors", count(at, "chain_hw"))
    chip_map = at.get("chain_acs")
    good, bad = (chip_map.count("o"), chip_map.count("x")) if isinstance(chip_map, str) else (0, 0)
    if good + bad:
        sheet.put("chips_good", good)
        sheet.put("chips_expected", good + bad, Quality.DERIVED)
    else:
        sheet.put("chips_good", count(at, "chain_acn"))
    return sheet.board(slot)


def _hottest_sensor(value: Any) -> float | None:
    """`"73-45-64-65"` is four sensors; 0 is one that is not there."""
    if not isinstance(value, str) or not _SENSORS.fullmatch(value):
        return None
    return hottest([float(sensor) for sensor in value.split("-")])


def _slowest_fan(fans: dict[int, Any]) -> float | None:
    """Today's models name only the fans that they have, so that 0 is one that stands; older ones name empty places."""
    speeds = [speed for speed in map(as_number, fans.values()) if speed is not None]
    if len(speeds) > PLACES_OF_TODAY:
        speeds = [speed for speed in speeds if speed]
    return min(speeds, default=None)
