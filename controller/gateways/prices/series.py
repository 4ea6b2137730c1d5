"""Prices of consecutive intervals, and the one that holds at a moment."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from controller.gateways.prices.hashprice import Hashprice
from controller.mining.dispatch.quote import Quote
from shared.clock import utc
from shared.errors import GatewayUnavailable, Malformed
from shared.price_file import read_prices

MOST_PRICES = 50_000  # a year of quarter-hours; whoever wants more asks twice


@dataclass(frozen=True)
class PriceSeries:
    """Interval i starts at `start_ms[i]`, ascending, lasts `interval_ms` and costs `usd_mwh[i]`; there may be gaps."""

    source: str
    start_ms: tuple[int, ...]
    usd_mwh: tuple[float, ...]
    interval_ms: int
    synthetic: bool = False

    @property
    def end_ms(self) -> int:
        return self.start_ms[-1] + self.interval_ms

    def between(self, from_ms: int, to_ms: int) -> tuple[tuple[int, float], ...]:
        """(start, price) of the intervals that touch a span."""
        first = bisect_right(self.start_ms, from_ms - self.interval_ms)
        last = bisect_right(self.start_ms, to_ms - 1)
        return tuple(zip(self.start_ms[first:last], self.usd_mwh[first:last], strict=True))


def load_series(path: Path, zone: str | None = None) -> PriceSeries:
    """The prices of a file; an interval lasts as long as most steps between its rows. Errors as `read_prices`."""
    points = read_prices(path, zone)
    steps = Counter(later - earlier for (earlier, _), (later, _) in pairwise(points))
    starts, prices = zip(*points, strict=True)
    return PriceSeries(path.stem, starts, prices, steps.most_common(1)[0][0])


class SeriesPrices:
    """A series as the price of energy, beside a hashprice that may be set anew at any time.

    `replay_from_ms` plays a historical series as if it began then, over and over: for demonstrations and tests. Its
    quotes are marked synthetic, because those prices do not hold now.
    """

    def __init__(
        self, series: PriceSeries, hashprice: Callable[[], Hashprice], *, replay_from_ms: int | None = None
    ) -> None:
        self._series = series
        self._hashprice = hashprice
        self._replay_from_ms = replay_from_ms

    def current(self, now_ms: int) -> Quote:
        """The price that holds at `now_ms`, or the last one before it, which then is no longer current."""
        series, shift_ms = self._series, self._shift_ms(now_ms)
        at = bisect_right(series.start_ms, now_ms - shift_ms) - 1
        if at < 0:
            raise GatewayUnavailable(f"{series.source} begins only at {utc(series.start_ms[0] + shift_ms).isoformat()}")
        hashprice = self._hashprice()
        return Quote(
            energy_usd_mwh=series.usd_mwh[at],
            energy_from_ms=series.start_ms[at] + shift_ms,
            energy_until_ms=series.start_ms[at] + series.interval_ms + shift_ms,
            hashprice_usd_phs_day=hashprice.usd_phs_day,
            hashprice_at_ms=hashprice.known_at_ms,
            source=series.source,
            synthetic=series.synthetic or self._replay_from_ms is not None,
        )

    def between(self, from_ms: int, to_ms: int) -> tuple[tuple[int, float], ...]:
        """(start, price) of the intervals that touch a span, in the time of `current`.

        Malformed where these are more than MOST_PRICES.
        """
        if self._replay_from_ms is None:
            return _bounded(self._series.between(from_ms, to_ms))
        points: list[tuple[int, float]] = []
        at_ms = max(from_ms, self._replay_from_ms)
        while at_ms < to_ms and len(points) <= MOST_PRICES:
            shift_ms = self._shift_ms(at_ms)
            turn_ms = self._series.end_ms + shift_ms
            found = self._series.between(at_ms - shift_ms, min(to_ms, turn_ms) - shift_ms)
            points.extend((start_ms + shift_ms, price) for start_ms, price in found)
            at_ms = turn_ms
        return _bounded(tuple(points))

    def _shift_ms(self, now_ms: int) -> int:
        """What turns a time of the series into ours."""
        if self._replay_from_ms is None:
            return 0
        length_ms = self._series.end_ms - self._series.start_ms[0]
        rounds = max(0, now_ms - self._replay_from_ms) // length_ms
        return self._replay_from_ms + rounds * length_ms - self._series.start_ms[0]


def _bounded(points: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    if len(points) > MOST_PRICES:
        raise Malformed(f"from_ms, to_ms: more than {MOST_PRICES:,} prices lie between; ask for a shorter span")
    return points
