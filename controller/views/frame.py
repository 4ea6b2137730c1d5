"""A site's miners at one moment, column by column: what every count, filter, map and sum is computed from."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.views.condition import Condition, classify, reading_is_fresh

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Words:
    """A column of few distinct words: row i says `words[codes[i]]`."""

    codes: NDArray[np.int32]
    words: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str]) -> "Words":
        words = tuple(dict.fromkeys(values))
        number = {word: index for index, word in enumerate(words)}
        return cls(np.fromiter((number[value] for value in values), np.int32, len(values)), words)

    def __getitem__(self, row: int) -> str:
        return self.words[int(self.codes[row])]

    def is_one_of(self, accepted: Sequence[str]) -> NDArray[np.bool_]:
        codes = [index for index, word in enumerate(self.words) if word in accepted]
        return np.isin(self.codes, codes)


class AlarmMark(NamedTuple):
    """The miners that one alarm touches, as rows. `cause` in lower case, of letters that a query can hold."""

    code: str
    cause: str
    rows: NDArray[np.intp]


def _nothing_stands() -> tuple[AlarmMark, ...]:
    return ()


@dataclass(frozen=True)
class FleetLayout:
    """Who the miners are and where they stand; made anew only when the inventory changes. All columns are n long.

    `slot_name` is what a technician reads on the rack, such as `C07-R3-S2-11`.
    """

    site: str
    device_id: tuple[str, ...]
    slot_name: tuple[str, ...]
    address: tuple[str, ...]
    serial: tuple[str, ...]
    model: Words
    firmware: Words
    container: Words
    feeder: Words
    node: Words
    rack: NDArray[np.int32]
    shelf: NDArray[np.int32]
    slot: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.device_id)

    @cached_property
    def revision(self) -> str:
        """Changes when a miner is added, removed or moved."""
        return f"{zlib.crc32(chr(0).join((*self.device_id, *self.slot_name)).encode()):08x}"

    @cached_property
    def row_of(self) -> dict[str, int]:
        return {device_id: row for row, device_id in enumerate(self.device_id)}

    @cached_property
    def haystack(self) -> tuple[str, ...]:
        """What free text is searched in, per row."""
        columns = zip(self.device_id, self.slot_name, self.address, self.serial, strict=True)
        return tuple("\n".join(row).lower() for row in columns)


@dataclass(frozen=True, kw_only=True)
class FleetFrame:
    """NaN is "not known". `snapshot` names this frame in every answer made from it; `at_ms` is when it was made.

    `power_source` holds PowerSource, `quality` the packed qualities in the order of MINER_FIELDS
    (shared/wire/telemetry.py). `powered` is 1, 0 or -1 for unknown; `maintenance` marks miners taken out of service.
    `held_by` names the person who operates a row's miner instead of dispatch. `find_alarms` is asked once, and only
    where somebody asks for `alarms`.
    """

    snapshot: str
    at_ms: int
    layout: FleetLayout
    observed_at_ms: NDArray[np.int64]
    reach: NDArray[np.uint8]
    op_state: NDArray[np.uint8]
    power_source: NDArray[np.uint8]
    quality: NDArray[np.int64]
    hashrate_ths: Floats
    hashrate_expected_ths: Floats
    power_w: Floats
    power_limit_w: Floats
    chip_temp_c: Floats
    board_temp_c: Floats
    inlet_temp_c: Floats
    fan_rpm: Floats
    uptime_s: Floats
    accepted_shares: Floats
    rejected_shares: Floats
    boards_hashing: Floats
    boards_expected: Floats
    powered: NDArray[np.int8]
    maintenance: NDArray[np.bool_]
    chip_warm_c: float = 80.0
    chip_hot_c: float = 90.0
    stale_after_s: float = 30.0
    held_by: Mapping[int, str] = field(default_factory=dict)
    find_alarms: Callable[[], tuple[AlarmMark, ...]] = _nothing_stands

    def __len__(self) -> int:
        return len(self.layout)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Rows with a fresh reading."""
        return reading_is_fresh(self.reach, self.observed_at_ms, self.at_ms, self.stale_after_s)

    @cached_property
    def alarms(self) -> tuple[AlarmMark, ...]:
        """Standing alarms, one a cause, with the miners that each touches."""
        return self.find_alarms()

    @cached_property
    def hash_ratio(self) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Floats = self.hashrate_ths / self.hashrate_expected_ths
        return ratio

    @cached_property
    def efficiency_j_per_th(self) -> Floats:
        """NaN while nothing hashes."""
        hashing = np.where(self.hashrate_ths > 0, self.hashrate_ths, np.nan)
        return self.power_w / hashing

    @cached_property
    def condition(self) -> NDArray[np.uint8]:
        with np.errstate(invalid="ignore"):
            return classify(
                op_state=self.op_state,
                known=self.known,
                powered=self.powered,
                hash_ratio=self.hash_ratio,
                chip_temp_c=self.chip_temp_c,
                board_missing=self.boards_hashing < self.boards_expected,
                warm_c=self.chip_warm_c,
                hot_c=self.chip_hot_c,
            )

    @cached_property
    def condition_counts(self) -> dict[Condition, int]:
        counts = np.bincount(self.condition, minlength=len(Condition))
        return {condition: int(counts[condition]) for condition in Condition}

    @cached_property
    def live_power_w(self) -> float:
        """Sum of the fresh readings; silent miners add nothing and are reported as such."""
        return float(np.nansum(np.where(self.known, self.power_w, np.nan)))

    @cached_property
    def live_hashrate_ths(self) -> float:
        return float(np.nansum(np.where(self.known, self.hashrate_ths, np.nan)))
