"""The newest sample of each device of one kind, column by column, with copy on write.

A snapshot takes the arrays themselves; the next write copies them first. So a snapshot costs nothing by itself and
never changes under its reader.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import numpy.typing as npt

from controller.mining.fleet.array import Bools, Codes, Floats, Ints
from controller.mining.fleet.strange import understood, understood_quality
from shared.quality import QUALITY_BITS, QUALITY_MASK, USABLE
from shared.wire.telemetry import Counts, Numbers

NEVER_MS = -1
_ARRAYS = ("values", "codes", "quality", "observed_at_ms", "seen_ms")
_USABLE = np.zeros(QUALITY_MASK + 1, np.bool_)
_USABLE[[int(quality) for quality in USABLE]] = True


@dataclass(frozen=True, eq=False)
class Samples:
    """`n` devices at one moment. `values` is [field, n] with NaN for unknown, `codes` [code, n].

    `observed_at_ms` is the device's own time, NEVER_MS before its first sample; `seen_ms` is that time as far as it
    can be trusted: never later than the receipt of the first batch of its node's life, and in order within that life.
    """

    keys: tuple[Hashable, ...]
    fields: tuple[str, ...]
    code_names: tuple[str, ...]
    values: Floats
    codes: npt.NDArray[np.int16]
    quality: Ints
    observed_at_ms: Ints
    seen_ms: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def column(self, field: str) -> Floats:
        """The values as they came, whatever their quality."""
        return np.asarray(self.values[self.fields.index(field)])

    def code(self, name: str) -> npt.NDArray[np.int16]:
        return np.asarray(self.codes[self.code_names.index(name)])

    def quality_of(self, field: str) -> Codes:
        """The Quality of a field for every device, as it came; age is judged by the snapshot."""
        shift = QUALITY_BITS * self.fields.index(field)
        return ((self.quality >> shift) & QUALITY_MASK).astype(np.int8)

    def usable(self, field: str) -> Bools:
        """Where a rule may act on the field, its age aside."""
        return np.asarray(_USABLE[self.quality_of(field)] & np.isfinite(self.column(field)))

    def age_s(self, now_ms: int) -> Floats:
        """Seconds since the sample; infinite before the first one."""
        return np.where(self.seen_ms == NEVER_MS, np.inf, np.maximum(now_ms - self.seen_ms, 0) / 1000)


@dataclass(frozen=True)
class Arrival:
    """A table of one batch, column by column; `newer_by_ms` turns its device times into `seen_ms`."""

    keys: Iterable[Hashable]
    observed_at_ms: list[int]
    newer_by_ms: int
    quality: list[int]
    codes: Sequence[list[int]]
    values: Sequence[Numbers | Counts]


class ColumnStore:
    """One row a key. Keys that it was not given are skipped and counted, or taken in where `open_ended`. `strange`
    counts codes and qualities that were not understood.
    """

    def __init__(
        self,
        fields: tuple[str, ...],
        code_names: tuple[str, ...] = (),
        keys: Sequence[Hashable] = (),
        *,
        open_ended: bool = False,
    ) -> None:
        self.strange = 0
        self._open_ended = open_ended
        self._index = {key: row for row, key in enumerate(keys)}
        count = len(self._index)
        self._held = Samples(
            keys=tuple(self._index),
            fields=fields,
            code_names=code_names,
            values=np.full((len(fields), count), np.nan),
            codes=np.zeros((len(code_names), count), np.int16),
            quality=np.zeros(count, np.int64),
            observed_at_ms=np.full(count, NEVER_MS, np.int64),
            seen_ms=np.full(count, NEVER_MS, np.int64),
        )
        self._shared = False

    def __len__(self) -> int:
        return len(self._index)

    @property
    def keys(self) -> tuple[Hashable, ...]:
        return self._held.keys

    def samples(self) -> Samples:
        """What is held now; the arrays are read-only and stay as they are."""
        for name in _ARRAYS:
            getattr(self._held, name).flags.writeable = False
        self._shared = True
        return self._held

    def preset(self, name: str, value: int) -> None:
        """Give a code to every row, for rows that no sample has described yet."""
        self._unshare()
        self._held.code(name)[:] = value

    def moved_to(self, keys: Sequence[Hashable], blank: "ColumnStore") -> "ColumnStore":
        """`blank`, made for `keys`, with the samples that this store holds of them."""
        kept = [(row, self._index[key]) for row, key in enumerate(keys) if key in self._index]
        if kept:
            to, source = np.array(kept, np.int64).T
            for name in _ARRAYS:
                getattr(blank._held, name)[..., to] = getattr(self._held, name)[..., source]
        blank.strange = self.strange
        return blank

    def write(self, arrival: Arrival) -> int:
        """Take over what is newer than what is held; the number of rows whose key is unknown."""
        count = len(arrival.observed_at_ms)
        if not count:
            return 0
        keys = list(arrival.keys) if self._open_ended else arrival.keys
        rows = np.fromiter(map(self._index.get, keys, repeat(-1)), np.int64, count)
        if self._open_ended and (rows < 0).any():
            self._grow(key for key, row in zip(keys, rows.tolist(), strict=True) if row < 0)
            rows = np.fromiter(map(self._index.__getitem__, keys), np.int64, count)
        if not self._index:
            return count
        observed = np.array(arrival.observed_at_ms, np.int64)
        seen = observed + arrival.newer_by_ms
        fresh = np.flatnonzero((rows >= 0) & (seen > self._held.seen_ms[rows]))
        fresh = fresh[np.argsort(seen[fresh], kind="stable")]  # of several samples of one device the newest stays
        if fresh.size:
            self._put(rows[fresh], fresh, arrival, observed, seen)
        return int((rows < 0).sum())

    def _put(self, rows: Ints, fresh: Ints, arrival: Arrival, observed: Ints, seen: Ints) -> None:
        self._unshare()
        held = self._held
        held.observed_at_ms[rows] = observed[fresh]
        held.seen_ms[rows] = seen[fresh]
        held.quality[rows], strange = understood_quality(np.array(arrival.quality, np.int64)[fresh])
        self.strange += strange
        for name, code, codes in zip(held.code_names, held.codes, arrival.codes, strict=True):
            code[rows], strange = understood(name, np.array(codes, np.int16)[fresh])
            self.strange += strange
        for value, column in zip(held.values, arrival.values, strict=True):
            value[rows] = np.array(column, np.float64)[fresh]

    def _grow(self, keys: Iterable[Hashable]) -> None:
        known = (*self._index, *dict.fromkeys(keys))
        blank = ColumnStore(self._held.fields, self._held.code_names, known)
        self._held = self.moved_to(known, blank)._held
        self._index, self._shared = blank._index, False

    def _unshare(self) -> None:
        if self._shared:
            held = self._held
            self._held = replace(held, **{name: getattr(held, name).copy() for name in _ARRAYS})
            self._shared = False
