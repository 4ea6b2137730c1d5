"""Registers out of a dictionary, and the profiles to read them with."""

from collections.abc import Sequence

import pytest

from agent.site.transports.bus import Priority
from agent.site.transports.modbus import Span
from shared.errors import Unsupported
from shared.profiles import Profile, load_all
from shared.profiles.model import Vector
from shared.profiles.plan import protocol_address
from shared.states import DeviceKind

METERS = tuple(profile for profile in load_all() if profile.about.kind is DeviceKind.METER)


class FakeRegisters:
    """A `RegisterTransport` of one unit. Registers that nobody gave read 0, or are refused where `strict`."""

    def __init__(self, words: dict[int, int], *, strict: bool = False) -> None:
        self.words = words
        self.strict = strict
        self.asked: list[tuple[int, Span, Priority]] = []
        self.closed = False

    async def read(self, unit: int, span: Span, priority: Priority = Priority.NORMAL) -> tuple[int, ...]:
        self.asked.append((unit, span, priority))
        addresses = range(span.address, span.address + span.count)
        if self.strict and not all(address in self.words for address in addresses):
            raise Unsupported(f"{span}: no such registers")
        return tuple(self.words.get(address, 0) for address in addresses)

    async def write(self, unit: int, address: int, words: Sequence[int]) -> None:
        raise AssertionError("a meter is never written to")

    async def aclose(self) -> None:
        self.closed = True


def registers_of(profile: Profile, vector: Vector, *, strict: bool = False) -> FakeRegisters:
    """What a device would hold that answers as the vector says."""
    settings = profile.transport.modbus
    assert settings is not None
    assert isinstance(vector.raw, dict)
    table = next(point.table for point in profile.points if point.table is not None)
    words = {}
    for address, texts in vector.raw.items():
        first = protocol_address(table, int(address, 0), settings)
        words |= {first + offset: int(text, 16) for offset, text in enumerate(texts)}
    return FakeRegisters(words, strict=strict)


@pytest.fixture(params=METERS, ids=lambda profile: profile.id)
def profile(request: pytest.FixtureRequest) -> Profile:
    found: Profile = request.param
    return found
