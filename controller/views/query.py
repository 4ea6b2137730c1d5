"""The search grammar of the miner table, for people and programs alike.

    query  = term *(space term)
    term   = ["-"] (word ":" value *("," value) / number-field ("<" / ">" / "<=" / ">=" / "=") number / text)

`state:hot model:S21* chip>85 rack:C07 -node:edge-2 10.0.4.` finds miners that satisfy every term; `*` stands for any
characters, a leading `-` turns a term round, quotes keep spaces together, bare text is looked for in id, slot, address
and serial. Fields and words are case-blind. A miner whose value is not known satisfies no comparison.

`alarm:device.fault` finds what standing alarms of that code touch, `alarm:login.default` those of that cause, and
`alarm:device.fault/login.default` the members of one alarm, exactly, however many they are.
"""

import operator
import re
import shlex
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.views.condition import WORDS, Condition
from controller.views.frame import FleetFrame, Words
from shared.errors import Malformed

MAX_QUERY_CHARS = 500
MAX_TERMS = 20

_COMPARISON = re.compile(r"([a-z]+)(<=|>=|<|>|=)(-?\d+(?:\.\d+)?)")
_FIELD = re.compile(r"([a-z]+):(.*)", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}
LONGEST_CAUSE = 80
_NOT_IN_A_CAUSE = re.compile(r"[^\w.\-]+")
WORD_FIELDS = {
    "state": "as-expected, fault, hot, silent, unpowered, asleep, maintenance …",
    "alarm": "what a standing alarm touches: its code, its cause, or code/cause",
    "held": "person who operates it instead of dispatch, such as anna; * for anybody",
    "container": "container, such as c07",
    "rack": "container or rack, such as c07-r3",
    "slot": "place on the rack, such as c07-r3-s2-*",
    "feeder": "feeder of the electrical tree",
    "model": "model, such as *s21*",
    "firmware": "firmware",
    "node": "agent that reads it",
    "id": "device id",
    "serial": "serial number",
    "address": "network address, such as 10.0.4.*",
}
"""Fields that are compared with words, and what their values are."""
NUMBER_WORDS = {
    "hash": "hash rate, TH/s",
    "pct": "hash rate, % of expected",
    "power": "power, W",
    "limit": "power limit, W",
    "eff": "efficiency, J/TH",
    "chip": "hottest chip, °C",
    "board": "hottest board, °C",
    "inlet": "inlet, °C",
    "fan": "slowest fan, rpm",
    "uptime": "time since start, s",
    "age": "age of the reading, s",
}
"""Fields that are compared with a number, and their units."""
NUMBER_FIELDS: dict[str, Callable[[FleetFrame], NDArray[np.float64]]] = {
    "hash": lambda frame: frame.hashrate_ths,
    "power": lambda frame: frame.power_w,
    "limit": lambda frame: frame.power_limit_w,
    "eff": lambda frame: frame.efficiency_j_per_th,
    "chip": lambda frame: frame.chip_temp_c,
    "board": lambda frame: frame.board_temp_c,
    "inlet": lambda frame: frame.inlet_temp_c,
    "fan": lambda frame: frame.fan_rpm,
    "uptime": lambda frame: frame.uptime_s,
    "pct": lambda frame: frame.hash_ratio * 100.0,
    "age": lambda frame: (frame.at_ms - frame.observed_at_ms) / 1000.0,
}


class Term(msgspec.Struct, frozen=True):
    """One condition as typed. `field` is empty for free text, `compare` empty unless a number is compared."""

    text: str
    negated: bool = False
    field: str = ""
    compare: str = ""
    values: tuple[str, ...] = ()
    number: float = 0.0


class Query(msgspec.Struct, frozen=True):
    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(term.text for term in self.terms)


def parse(text: str) -> Query:
    """Raises Malformed with the term that cannot be understood and the fields that exist."""
    if len(text) > MAX_QUERY_CHARS:
        raise Malformed(f"a query has at most {MAX_QUERY_CHARS} characters, this one has {len(text)}")
    try:
        words = shlex.split(text)
    except ValueError:
        raise Malformed(f"query {text!r}: a quote is not closed") from None
    if len(words) > MAX_TERMS:
        raise Malformed(f"a query has at most {MAX_TERMS} terms, this one has {len(words)}")
    return Query(tuple(_term(word) for word in words))


def _term(word: str) -> Term:
    negated = word.startswith("-") and len(word) > 1
    body = word[1:].lower() if negated else word.lower()
    shown = _as_typed(word)
    if match := _COMPARISON.fullmatch(body):
        name, compare, number = match.groups()
        if name not in NUMBER_FIELDS:
            raise Malformed(f"no number field {name!r}; there are {', '.join(NUMBER_FIELDS)}")
        return Term(shown, negated, name, compare, number=float(number))
    if match := _FIELD.fullmatch(body):
        name, values = match[1], tuple(value for value in match[2].split(",") if value)
        if name not in WORD_FIELDS:
            raise Malformed(f"no field {name!r}; there are {', '.join(WORD_FIELDS)} and {', '.join(NUMBER_FIELDS)}")
        if not values:
            raise Malformed(f"{name}: needs a value")
        _check_states(name, values)
        return Term(shown, negated, name, values=values)
    return Term(shown, negated, values=(body,))


def _as_typed(word: str) -> str:
    """Quoted only where it would not be read back as this one word."""
    try:
        alone = shlex.split(word) == [word]
    except ValueError:
        alone = False
    return word if alone else shlex.quote(word)


def _check_states(name: str, values: tuple[str, ...]) -> None:
    known = (*WORDS, "maintenance")
    for value in values if name == "state" else ():
        if not any(fnmatchcase(word, value) for word in known):
            raise Malformed(f"no state {value!r}; there are {', '.join(known)}")


def select(frame: FleetFrame, query: Query) -> NDArray[np.bool_]:
    """Which rows satisfy every term."""
    mask = np.ones(len(frame), dtype=np.bool_)
    for term in query.terms:
        found = _rows(frame, term)
        mask &= ~found if term.negated else found
    return mask


def _rows(frame: FleetFrame, term: Term) -> NDArray[np.bool_]:
    if term.compare:
        with np.errstate(invalid="ignore"):
            column = NUMBER_FIELDS[term.field](frame)
            return np.asarray(_OPERATORS[term.compare](column, term.number), dtype=np.bool_) & ~np.isnan(column)
    if not term.field:
        return _flags(term.values[0] in text for text in frame.layout.haystack)
    return _word_rows(frame, term.field, term.values)


def _word_rows(frame: FleetFrame, name: str, patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    layout = frame.layout
    if name == "state":
        return _state_rows(frame, patterns)
    if name == "alarm":
        return _alarm_rows(frame, patterns)
    if name == "held":
        return _held_rows(frame, patterns)
    columns: dict[str, Words] = {
        "model": layout.model,
        "firmware": layout.firmware,
        "container": layout.container,
        "feeder": layout.feeder,
        "node": layout.node,
    }
    if name in columns:
        column = columns[name]
        return column.is_one_of([word for word in column.words if _matches(word, patterns)])
    texts = {"slot": layout.slot_name, "id": layout.device_id, "serial": layout.serial, "address": layout.address}
    if name in texts:
        return _flags(_matches(text, patterns) for text in texts[name])
    return _flags(_matches(slot, patterns) or _starts(slot, patterns) for slot in layout.slot_name)  # rack


def _state_rows(frame: FleetFrame, patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    wanted = [condition for condition in Condition if _matches(condition.word, patterns)]
    rows = np.isin(frame.condition, wanted)
    return rows | frame.maintenance if _matches("maintenance", patterns) else rows


def _alarm_rows(frame: FleetFrame, patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(frame), dtype=np.bool_)
    for code, cause, rows in frame.alarms:
        if any(_matches(word, patterns) for word in (code, cause, f"{code}/{cause}")):
            found[rows] = True
    return found


def _held_rows(frame: FleetFrame, patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(frame), dtype=np.bool_)
    found[[row for row, person in frame.held_by.items() if _matches(person, patterns)]] = True
    return found


def cause_word(text: str) -> str:
    """A cause as it stands in `AlarmMark` and in queries: lower case, without what the grammar takes for its own."""
    return _NOT_IN_A_CAUSE.sub("-", text.lower())[:LONGEST_CAUSE]


def _matches(word: str, patterns: tuple[str, ...]) -> bool:
    lowered = word.lower()
    return any(fnmatchcase(lowered, pattern) for pattern in patterns)


def _starts(slot: str, patterns: tuple[str, ...]) -> bool:
    """`rack:c07` means everything in container C07, `rack:c07-r3` one rack of it."""
    lowered = slot.lower()
    return any(lowered.startswith(pattern + "-") for pattern in patterns)


def _flags(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(values, dtype=np.bool_)
