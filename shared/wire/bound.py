"""Numbers of messages, as large as storage, arrays and calendars can hold. Decoding refuses what lies beyond, so that
nothing behind it has to: one number out of bounds must not cost more than the message that it came in.
"""

from typing import Annotated, Final

from msgspec import Meta

HIGHEST: Final = 1 << 53  # exact as a double too, which is what JSON and JavaScript make of it
LATEST_MS: Final = 253_370_764_800_000  # the year 9999 begins: later times have no date in every time zone

Millis = Annotated[int, Meta(ge=0, le=LATEST_MS)]
Count = Annotated[int, Meta(ge=-HIGHEST, le=HIGHEST)]
Counter = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""Only ever compared and stored; some senders count in nanoseconds."""
Code = Annotated[int, Meta(ge=-(1 << 15), le=(1 << 15) - 1)]
"""A member of an enumeration, or one that only a newer program knows: readers decide what they make of it."""
Packed = Annotated[int, Meta(ge=0, le=(1 << 60) - 1)]
"""Qualities, four bits a field (shared/quality.py)."""
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
