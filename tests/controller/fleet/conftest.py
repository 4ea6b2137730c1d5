from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from controller.fleet import AlarmDesk, FleetService
from controller.storage.sqlite.relations import SqliteRelations
from controller.storage.sqlite.relations_event import SqliteEvents
from shared.site import Feeder, Instrument, Placement, Site, miner_id


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class FakeWitness:
    def __init__(self) -> None:
        self.noted: list[tuple[str, str, msgspec.Struct, str]] = []

    async def note(self, facts: Mapping[str, msgspec.Struct], actor: str) -> None:
        self.noted += [(stream, type(fact).__name__, fact, actor) for stream, fact in facts.items()]


class Fleet(NamedTuple):
    service: FleetService
    desk: AlarmDesk
    store: SqliteRelations
    past: SqliteEvents
    witness: FakeWitness


def mac_of(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def device_of(number: int) -> str:
    return miner_id(mac_of(number))


@pytest.fixture
def site() -> Site:
    """Two containers of ten miners below one transformer; feeder `f0` carries miners 0-4, `f1` 5-9, and so on."""
    return Site(
        id="tx1",
        name="Texas 1",
        feeder=(
            Feeder(id="main", kind="transformer", limit_w=1_000_000, meter="m-main"),
            *(Feeder(id=f"f{n}", kind="pdu", parent="main", rating_a=100, voltage_v=400) for n in range(4)),
        ),
        meter=(Instrument(id="m-main", profile="p", address="127.0.0.1"),),
        placement=tuple(
            Placement(mac=mac_of(n), feeder=f"f{n // 5}", container=f"c{n // 10}", rack=0, shelf=0, slot=n)
            for n in range(20)
        ),
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "controller.db"


@pytest.fixture
async def fleet(path: Path, clock: FakeClock) -> AsyncIterator[Fleet]:
    async with SqliteRelations(path) as store, SqliteEvents(path) as past:
        witness = FakeWitness()
        desk = AlarmDesk(store, witness, clock)
        yield Fleet(FleetService(store, desk, clock), desk, store, past, witness)
