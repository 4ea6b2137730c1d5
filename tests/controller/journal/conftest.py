from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from controller.journal import Journal
from controller.storage.sqlite.journal import SqliteJournal


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def key() -> SigningKey:
    return SigningKey(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteJournal]:
    async with SqliteJournal(path) as opened:
        yield opened


@pytest.fixture
def journal(store: SqliteJournal, clock: FakeClock) -> Journal:
    return Journal(store, clock)
