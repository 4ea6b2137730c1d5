"""One field of a miner's reply as a typed value. What is missing, blank or of another kind is None, never 0."""

import math
import re
from typing import Any

from agent.site.drivers.miners.reply import Row
from shared.site import normal_mac

LARGEST_COUNT = 2**53
_NUMBER = re.compile(r"\s*[-+]?\d{1,20}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?\s*")
_TEXT_CHARACTERS = 200


def number(row: Row, *keys: str) -> float | None:
    """The first of `keys` that holds a finite number, also one written as a string."""
    for key in keys:
        value = as_number(row.get(key))
        if value is not None:
            return value
    return None


def as_number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def count(row: Row, *keys: str) -> int | None:
    """A whole number that is not negative."""
    value = number(row, *keys)
    return int(value) if value is not None and value.is_integer() and 0 <= value <= LARGEST_COUNT else None


def text(row: Row, *keys: str) -> str:
    """The first of `keys` that holds a string, trimmed and cut; empty where none does."""
    for key in keys:
        value = row.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_TEXT_CHARACTERS]
    return ""


def flag(row: Row, *keys: str) -> bool | None:
    """A boolean, also one written as `"true"` or as 1."""
    for key in keys:
        value = row.get(key)
        if isinstance(value, str):
            value = {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
        if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
            return bool(value)
    return None


def mac(row: Row, *keys: str) -> str:
    """The MAC in its normal form; empty where there is none."""
    return normal_mac(text(row, *keys))


def hottest(values: list[float | None]) -> float | None:
    """The highest temperature; 0 is a sensor that is not there."""
    return max((value for value in values if value), default=None)
