"""Values out of a JSON answer, as the points of a profile say (JSON pointers, RFC 6901)."""

import json
import math
from collections.abc import Iterable
from typing import Any

from agent.site.drivers.measured import BEYOND, NOTHING, Measured
from shared.profiles import Point
from shared.quality import Quality


def decode(points: Iterable[Point], document: object) -> dict[str, Measured]:
    """Point name → value; a value that is missing, of the wrong type or declared invalid by its neighbours is None."""
    return {point.name: _measured(point, document) for point in points}


def at(document: object, pointer: str) -> Any:
    """What stands there, or None."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _measured(point: Point, document: object) -> Measured:
    assert point.json_pointer is not None
    if not all(at(document, pointer) is True for pointer in point.valid_if):
        return NOTHING
    value = at(document, point.json_pointer)
    if point.enum:
        word = point.enum.get(json.dumps(value)) if isinstance(value, bool | int) else None
        return NOTHING if word is None else Measured(word, Quality.GOOD)
    if isinstance(value, str) and not point.unit:
        return Measured(value, Quality.GOOD) if value else NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING
    try:
        number = value * point.scale + point.offset
    except OverflowError:  # an integer of hundreds of digits
        return BEYOND
    if not math.isfinite(number):
        return BEYOND
    low, high = point.valid_range or (number, number)
    return Measured(number, Quality.GOOD if low <= number <= high else Quality.IMPLAUSIBLE)
