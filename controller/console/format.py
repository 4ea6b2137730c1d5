"""Numbers, units, ages, money and times as people read them. Pure; None is a dash, never a zero.

One unit for a column or a chart: a `Unit` is chosen once from the greatest value that it has to show.
"""

from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MISSING = "—"
UNKNOWN = "unknown"
MINUS = "−"
NBSP = "\u00a0"
SAT_PER_BTC = 100_000_000
MOST_SAT = 21_000_000 * SAT_PER_BTC


class Unit(NamedTuple):
    """`value / factor` is shown with `decimals` and `symbol`."""

    symbol: str
    factor: float
    decimals: int


WATT = Unit("W", 1.0, 0)
KILOWATT = Unit("kW", 1e3, 1)
MEGAWATT = Unit("MW", 1e6, 2)
TERAHASH = Unit("TH/s", 1.0, 1)
PETAHASH = Unit("PH/s", 1e3, 2)
EXAHASH = Unit("EH/s", 1e6, 3)
J_PER_TH = Unit("J/TH", 1.0, 2)
USD_PER_H = Unit("USD/h", 1.0, 2)
USD_PER_MWH = Unit("USD/MWh", 1.0, 2)


def power_unit(greatest_w: float | None) -> Unit:
    """MW from two megawatts on, kW below."""
    return MEGAWATT if (greatest_w or 0.0) >= 2e6 else KILOWATT


def hash_unit(greatest_ths: float | None) -> Unit:
    """EH/s from half an exahash on, PH/s below."""
    return EXAHASH if (greatest_ths or 0.0) >= 5e5 else PETAHASH


def number(value: float | None, decimals: int = 0) -> str:
    """Grouped by commas, a true minus, a dash for what is not known. A negative nothing is zero."""
    if value is None:
        return MISSING
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(digit in "123456789" for digit in text)
    return f"{MINUS}{text}" if negative else text


def signed(value: float | None, decimals: int = 1) -> str:
    """With a plus where it is greater than zero."""
    text = number(value, decimals)
    return f"+{text}" if value is not None and text[0] != MINUS and float(text.replace(",", "")) > 0 else text


def amount(value: float | None, unit: Unit) -> str:
    """The number alone, in the unit's scale."""
    return number(None if value is None else value / unit.factor, unit.decimals)


def quantity(value: float | None, unit: Unit) -> str:
    """Number and unit, kept on one line; the dash stands alone."""
    return MISSING if value is None else f"{amount(value, unit)}{NBSP}{unit.symbol}"


def percent(value: float | None, decimals: int = 0) -> str:
    return MISSING if value is None else f"{number(value, decimals)}{NBSP}%"


def celsius(value: float | None) -> str:
    return MISSING if value is None else f"{number(value)}{NBSP}°C"


def duration(seconds: float | None) -> str:
    """`1.1 s`, `6 min 12 s`, `3 h 05 min`, `2 d 4 h`: two units at most."""
    if seconds is None:
        return MISSING
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}{NBSP}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NBSP}s"
    if whole < 3600:
        return f"{whole // 60}{NBSP}min {whole % 60:02}{NBSP}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}{NBSP}h {minutes % 60:02}{NBSP}min"
    return f"{minutes // 1440}{NBSP}d {minutes % 1440 // 60}{NBSP}h"


def age(observed_at_ms: int | None, now_ms: int) -> str:
    return duration(None if observed_at_ms is None else (now_ms - observed_at_ms) / 1000.0)


def zone(name: str) -> ZoneInfo | None:
    """The site's zone; None, which is UTC, where this machine does not know the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def clock(at_ms: int | None, tz: ZoneInfo | None, *, seconds: bool = True) -> str:
    """Time of day at the site, 24 h."""
    if at_ms is None:
        return MISSING
    return datetime.fromtimestamp(at_ms / 1000, tz=tz or UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def zone_name(at_ms: int, tz: ZoneInfo | None) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=tz or UTC).strftime("%Z")


def moment(at_ms: int | None, tz: ZoneInfo | None) -> str:
    """Date and time at the site."""
    if at_ms is None:
        return MISSING
    return datetime.fromtimestamp(at_ms / 1000, tz=tz or UTC).strftime("%Y-%m-%d %H:%M:%S")


def count(value: int | None) -> str:
    return number(value)


def plural(number_of: int, word: str) -> str:
    """`1 miner`, `1,180 miners`."""
    return f"{number_of:,}{NBSP}{word}{'' if number_of == 1 else 's'}"


def sat(value: int | None) -> str:
    """`12,500,000 sat`."""
    return UNKNOWN if value is None else f"{number(value)}{NBSP}sat"


def btc(value: int | None) -> str:
    """`0.125 000 00 BTC`: all eight decimals, in groups."""
    if value is None:
        return UNKNOWN
    whole, part = divmod(abs(value), SAT_PER_BTC)
    digits = f"{part:08}"
    groups = NBSP.join((digits[:3], digits[3:6], digits[6:]))
    return f"{MINUS if value < 0 else ''}{whole:,}.{groups}{NBSP}BTC"


def money(value: int | None) -> str:
    """Both, the exact one first."""
    return UNKNOWN if value is None else f"{sat(value)} · {btc(value)}"


def parse_money(text: str, *, in_btc: bool) -> int | None:
    """What a person wrote as sat, with or without grouping; None where it is no amount that can be paid."""
    plain = "".join(text.split()).replace(",", "").replace("_", "")
    try:
        value = Decimal(plain) * (SAT_PER_BTC if in_btc else 1)
    except DecimalException:
        return None
    if not value.is_finite() or not 0 < value <= MOST_SAT or value != value.to_integral_value():
        return None
    return int(value)
