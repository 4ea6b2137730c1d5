"""A journal on the disk, and contracts over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.contracts.compiled import Compiled
from controller.contracts.service import ContractService
from controller.journal import Journal
from controller.storage.sqlite.journal import SqliteJournal
from tests.controller.contracts.scene import AGREEMENT, VAULT, FakeClock, FakeCoins


@pytest.fixture(scope="session")
def vault() -> Compiled:
    return VAULT.compile(AGREEMENT)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with SqliteJournal(tmp_path / "journal.db") as store:
        yield Journal(store, FakeClock())


@pytest.fixture
def coins() -> FakeCoins:
    return FakeCoins()


@pytest.fixture
def service(journal: Journal, coins: FakeCoins) -> ContractService:
    return ContractService(journal, coins)
