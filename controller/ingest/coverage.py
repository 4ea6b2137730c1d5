"""Which numbers of an epoch are accounted for: all up to the mark, and ranges beyond it."""

from bisect import bisect_right
from collections.abc import Iterable


class Coverage:
    """`mark` is the largest N with every number 1 to N stored or covered by a gap; `ahead` are the disjoint ranges
    (first, last) above it, ascending, never touching one another or the mark.
    """

    def __init__(self, mark: int = 0, ahead: Iterable[tuple[int, int]] = ()) -> None:
        self.mark = mark
        self.ahead = list(ahead)

    def __contains__(self, number: int) -> bool:
        if number <= self.mark:
            return True
        index = bisect_right(self.ahead, number, key=_first) - 1
        return index >= 0 and number <= self.ahead[index][1]

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Account for `first` to `last`; the ranges of it that were not yet."""
        fresh = self._uncovered(max(first, self.mark + 1), last)
        if fresh:
            self._merge(max(first, self.mark + 1), last)
        return fresh

    def _uncovered(self, first: int, last: int) -> list[tuple[int, int]]:
        fresh: list[tuple[int, int]] = []
        start = max(0, bisect_right(self.ahead, first, key=_first) - 1)
        for low, high in self.ahead[start:]:
            if low > last or first > last:
                break
            if low > first:
                fresh.append((first, low - 1))
            first = max(first, high + 1)
        if first <= last:
            fresh.append((first, last))
        return fresh

    def _merge(self, first: int, last: int) -> None:
        start = bisect_right(self.ahead, first, key=_first)
        if start and self.ahead[start - 1][1] >= first - 1:
            start -= 1
            first = self.ahead[start][0]
        end = start
        while end < len(self.ahead) and self.ahead[end][0] <= last + 1:
            last = max(last, self.ahead[end][1])
            end += 1
        self.ahead[start:end] = [(first, last)]
        if self.ahead[0][0] <= self.mark + 1:
            self.mark = self.ahead.pop(0)[1]


def _first(span: tuple[int, int]) -> int:
    return span[0]
