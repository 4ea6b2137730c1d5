"""Numbers of a query string. Each has bounds that every store can hold, so that none ends in a database's error."""

from typing import Annotated, NamedTuple

from fastapi import Query

from shared.errors import Malformed

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""
MAX_SPAN_MS = 400 * 86_400_000
_LAST_POSITION = 2**53 - 1  # the greatest whole number that every JSON reader keeps exactly

FromMs = Annotated[int | None, Query(ge=0, le=LATEST_MS, description="ms, UTC; where not given, a span before `to_ms`")]
ToMs = Annotated[int | None, Query(ge=0, le=LATEST_MS, description="ms, UTC; where not given, as the route says")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="Rows to skip")]
Position = Annotated[int | None, Query(ge=0, le=_LAST_POSITION, description="`before` of the page before this one")]
AmountSat = Annotated[int, Query(ge=1, le=21 * 10**14, description="Satoshi")]
PageLimit = Annotated[int, Query(ge=1, le=200, description="Rows of the page")]


class Span(NamedTuple):
    from_ms: int
    to_ms: int


def span(from_ms: int | None, to_ms: int | None, *, until_ms: int, length_ms: int) -> Span:
    """What was asked for, else up to `until_ms` and `length_ms` long; Malformed where it is empty or too long."""
    until = until_ms if to_ms is None else to_ms
    since = max(0, until - length_ms) if from_ms is None else from_ms
    if not 0 < until - since <= MAX_SPAN_MS:
        raise Malformed(f"from_ms, to_ms: from {since} to {until}; from_ms lies before to_ms, at most 400 days")
    return Span(since, until)
