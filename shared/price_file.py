"""Energy prices in a CSV file with a header: one column of times, one of prices in $/MWh.

The time column is the first that is called `Datetime (UTC)`, `timestamp`, `time`, `datetime` or `date`, the price
column the first that begins with `price`; upper and lower case do not matter. Times are ISO 8601. One with an offset
means what it says; one without means UTC where the column's name says so, else the zone that the caller names, so that
nobody's local time is ever taken for UTC.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import SettingInvalid, SettingMissing

MAX_ROWS = 1_000_000
MAX_USD_MWH = 100_000.0
_TIME_NAMES = ("datetime (utc)", "timestamp (utc)", "timestamp", "time", "datetime", "date")
_PRICE_UNITS = ("usd/mwh", "$/mwh", "usd_mwh")


def read_prices(path: Path, zone: str | None = None) -> list[tuple[int, float]]:
    """(start in ms UTC, USD/MWh) of every row, ascending; at least two. `zone` is an IANA name for times without
    offset.

    SettingMissing without the file, SettingInvalid with line and column for what cannot be understood.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            points = list(_points(path.name, csv.reader(lines), _zone(path.name, zone)))
    except FileNotFoundError as error:
        raise SettingMissing(f"{path}: no such file; point the price setting at a CSV file") from error
    except OSError as error:
        raise SettingInvalid(f"{path}: {error.strerror}; name a CSV file that this user can read") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingInvalid(f"{path.name}: not a CSV file in UTF-8 ({error})") from error
    if len(points) < 2:
        raise SettingInvalid(f"{path.name}: needs at least two rows of prices below the header")
    return points


def _points(name: str, rows: Iterator[list[str]], zone: tzinfo | None) -> Iterator[tuple[int, float]]:
    header = next(rows, None)
    if header is None:
        raise SettingInvalid(f"{name}: the file is empty; write a header with a time and a price column")
    time_at, price_at = _columns(name, header)
    zone = UTC if "utc" in header[time_at].lower() else zone
    last_ms = None
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if line > MAX_ROWS:
            raise SettingInvalid(f"{name}: more than {MAX_ROWS:,} rows; split the file")
        if len(row) <= max(time_at, price_at):
            raise SettingInvalid(f"{name} line {line}: {len(row)} columns, the header has {len(header)}")
        start_ms = _start_ms(row[time_at], zone, f"{name} line {line}, column {header[time_at]!r}")
        price = _price(row[price_at], f"{name} line {line}, column {header[price_at]!r}")
        if last_ms is not None and start_ms <= last_ms:
            raise SettingInvalid(f"{name} line {line}, column {header[time_at]!r}: not later than the row before")
        last_ms = start_ms
        yield start_ms, price


def _columns(name: str, header: list[str]) -> tuple[int, int]:
    words = [word.strip().lower() for word in header]
    time_at = next((words.index(word) for word in _TIME_NAMES if word in words), None)
    price_at = next((index for index, word in enumerate(words) if word.startswith("price")), None)
    if time_at is None or price_at is None:
        missing = "time" if time_at is None else "price"
        raise SettingInvalid(f"{name} line 1: no {missing} column among {', '.join(header)}")
    unit = words[price_at].removeprefix("price").strip(" _()")
    if unit and unit not in _PRICE_UNITS:
        raise SettingInvalid(f"{name} line 1, column {header[price_at]!r}: prices are read in USD/MWh, not in {unit}")
    return time_at, price_at


def _zone(name: str, zone: str | None) -> tzinfo | None:
    try:
        return None if zone is None else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingInvalid(f"{name}: {zone!r} is no time zone; write an IANA name such as America/Chicago") from error


def _start_ms(text: str, zone: tzinfo | None, place: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingInvalid(f"{place}: {text!r} is no ISO 8601 time") from error
    if moment.tzinfo is None:
        if zone is None:
            raise SettingInvalid(f"{place}: {text!r} has no offset; name the file's time zone")
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


def _price(text: str, place: str) -> float:
    try:
        price = float(text)
    except ValueError as error:
        raise SettingInvalid(f"{place}: {text!r} is no number") from error
    if not -MAX_USD_MWH <= price <= MAX_USD_MWH:  # also false for NaN
        raise SettingInvalid(f"{place}: {text!r} is no price in USD/MWh")
    return price
