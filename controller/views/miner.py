"""One miner as a row of a table and as a page, and the cutting of pages from a frame."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.views import unit
from controller.views.condition import Condition
from controller.views.frame import FleetFrame, Words
from controller.views.query import parse, select
from shared.errors import Malformed
from shared.quality import quality_at
from shared.states import OpState, PowerSource, Reach
from shared.wire.telemetry import MINER_FIELDS

MAX_PAGE = 1000


class MinerRow(msgspec.Struct, frozen=True, kw_only=True):
    """null means not known; `condition` is the word that queries use. `held_by` is the person who operates it instead
    of dispatch, empty where nobody does.
    """

    device_id: str
    slot: str
    model: str
    firmware: str
    container: str
    feeder: str
    node: str
    address: str
    serial: str
    condition: str
    op_state: str
    reach: str
    observed_at_ms: unit.Millis
    age_s: unit.Seconds
    hashrate_ths: unit.TeraHashes | None
    hashrate_expected_ths: unit.TeraHashes | None
    power_w: unit.Watts | None
    power_source: str
    power_limit_w: unit.Watts | None
    efficiency_j_per_th: unit.JoulesPerTeraHash | None
    chip_temp_c: unit.Celsius | None
    board_temp_c: unit.Celsius | None
    inlet_temp_c: unit.Celsius | None
    fan_rpm: unit.Rpm | None
    uptime_s: unit.Seconds | None
    boards_hashing: int | None
    boards_expected: int | None
    accepted_shares: int | None
    rejected_shares: int | None
    maintenance: bool
    held_by: str = ""


class MinerPage(msgspec.Struct, frozen=True, kw_only=True):
    """`total` rows match in the whole fleet of `fleet` miners; `rows` are those from `offset` on."""

    snapshot: str
    at_ms: unit.Millis
    query: str
    fleet: int
    total: int
    offset: int
    rows: tuple[MinerRow, ...]


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hash board; `slot` counts from 0."""

    slot: int
    observed_at_ms: unit.Millis
    hashrate_ths: unit.TeraHashes | None
    hashrate_expected_ths: unit.TeraHashes | None
    chip_temp_c: unit.Celsius | None
    board_temp_c: unit.Celsius | None
    chips_good: int | None
    chips_expected: int | None
    frequency_mhz: unit.MegaHertz | None
    hardware_errors: int | None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The device's own last words, as they came, with the secrets taken out."""

    observed_at_ms: unit.Millis
    request: str
    reply: str


class MinerDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`verbs` are the orders that its driver can carry out; `qualities` name the trust in each field of the row."""

    snapshot: str
    row: MinerRow
    sentence: str
    verbs: tuple[str, ...]
    qualities: dict[str, str]
    boards: tuple[BoardRow, ...]
    evidence: tuple[Evidence, ...] = ()


_SORTS = {
    "slot": lambda frame: np.lexsort(
        (frame.layout.slot, frame.layout.shelf, frame.layout.rack, frame.layout.container.codes)
    ),
    "condition": lambda frame: np.argsort(frame.condition, kind="stable"),
}
_NUMBERS = (
    "hashrate_ths",
    "hashrate_expected_ths",
    "power_w",
    "power_limit_w",
    "efficiency_j_per_th",
    "chip_temp_c",
    "board_temp_c",
    "inlet_temp_c",
    "fan_rpm",
    "uptime_s",
    "boards_hashing",
    "accepted_shares",
    "rejected_shares",
)
_WORDS = ("model", "firmware", "container", "feeder", "node")
SORTABLE = (*_SORTS, *_NUMBERS, *_WORDS, "age_s", "device_id", "address")


def order_of(frame: FleetFrame, sort: str) -> NDArray[np.intp]:
    """Rows in the order of a column; a leading `-` puts the greatest first. What is not known stands last."""
    descending, name = sort.startswith("-"), sort.removeprefix("-")
    if name in _SORTS:
        order = np.asarray(_SORTS[name](frame), dtype=np.intp)
        return order[::-1] if descending else order
    key = _sort_key(frame, name)
    return np.argsort(-key if descending else key, kind="stable")


def _sort_key(frame: FleetFrame, name: str) -> NDArray[np.float64]:
    if name in _NUMBERS:
        column: NDArray[np.float64] = getattr(frame, name)
        return column
    if name == "age_s":
        return (frame.at_ms - frame.observed_at_ms).astype(np.float64)
    if name in _WORDS:
        words: Words = getattr(frame.layout, name)
        return _ranks(words.words)[words.codes]
    if name in ("device_id", "address"):
        return _ranks(getattr(frame.layout, name))
    raise Malformed(f"cannot sort by {name!r}; there are {', '.join(SORTABLE)}")


def _ranks(words: tuple[str, ...]) -> NDArray[np.float64]:
    """The alphabetical place of each word."""
    ranks = np.empty(len(words), dtype=np.float64)
    ranks[np.argsort(np.array(words, dtype=np.str_), kind="stable")] = np.arange(len(words))
    return ranks


def page(frame: FleetFrame, query: str, *, sort: str = "slot", offset: int = 0, limit: int = 100) -> MinerPage:
    """The rows `offset` to `offset + limit` of those that match, with the count of all that do."""
    if not 0 <= limit <= MAX_PAGE or offset < 0:
        raise Malformed(f"limit is 0 to {MAX_PAGE} and offset not negative")
    parsed = parse(query)
    order = order_of(frame, sort)
    matching = order[select(frame, parsed)[order]]
    rows = tuple(row_at(frame, int(row)) for row in matching[offset : offset + limit])
    return MinerPage(
        snapshot=frame.snapshot,
        at_ms=frame.at_ms,
        query=str(parsed),
        fleet=len(frame),
        total=len(matching),
        offset=offset,
        rows=rows,
    )


def matching_ids(frame: FleetFrame, query: str) -> tuple[str, ...]:
    """Who is meant by "all that match", decided once, so that an order cannot widen after it was previewed."""
    rows = np.flatnonzero(select(frame, parse(query)))
    return tuple(frame.layout.device_id[row] for row in rows.tolist())


def row_at(frame: FleetFrame, row: int) -> MinerRow:
    layout = frame.layout
    return MinerRow(
        device_id=layout.device_id[row],
        slot=layout.slot_name[row],
        model=layout.model[row],
        firmware=layout.firmware[row],
        container=layout.container[row],
        feeder=layout.feeder[row],
        node=layout.node[row],
        address=layout.address[row],
        serial=layout.serial[row],
        condition=Condition(frame.condition[row]).word,
        op_state=OpState(frame.op_state[row]).name.lower(),
        reach=Reach(frame.reach[row]).name.lower(),
        observed_at_ms=int(frame.observed_at_ms[row]),
        age_s=(frame.at_ms - int(frame.observed_at_ms[row])) / 1000.0,
        hashrate_ths=_number(frame.hashrate_ths[row]),
        hashrate_expected_ths=_number(frame.hashrate_expected_ths[row]),
        power_w=_number(frame.power_w[row]),
        power_source=PowerSource(frame.power_source[row]).name.lower(),
        power_limit_w=_number(frame.power_limit_w[row]),
        efficiency_j_per_th=_number(frame.efficiency_j_per_th[row]),
        chip_temp_c=_number(frame.chip_temp_c[row]),
        board_temp_c=_number(frame.board_temp_c[row]),
        inlet_temp_c=_number(frame.inlet_temp_c[row]),
        fan_rpm=_number(frame.fan_rpm[row]),
        uptime_s=_number(frame.uptime_s[row]),
        boards_hashing=_count(frame.boards_hashing[row]),
        boards_expected=_count(frame.boards_expected[row]),
        accepted_shares=_count(frame.accepted_shares[row]),
        rejected_shares=_count(frame.rejected_shares[row]),
        maintenance=bool(frame.maintenance[row]),
        held_by=frame.held_by.get(row, ""),
    )


def qualities_at(frame: FleetFrame, row: int) -> dict[str, str]:
    """The trust in each telemetry field of a row, as a word."""
    packed = int(frame.quality[row])
    return {name: quality_at(packed, index).name.lower() for index, name in enumerate(MINER_FIELDS)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _count(value: float) -> int | None:
    return None if math.isnan(value) else int(value)
