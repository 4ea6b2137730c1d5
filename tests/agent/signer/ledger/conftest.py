"""Ledgers in temporary folders."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.signer.ledger import Ledger
from tests.agent.signer.ledger.scene import Ticks


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def new_ledger(tmp_path: Path, ticks: Ticks) -> Callable[..., Ledger]:
    def make(name: str = "ledger.db", *, box_id: str = "box-a", boot_id: str = "boot-1") -> Ledger:
        return Ledger(tmp_path / name, box_id=box_id, boot_id=boot_id, monotonic_ns=ticks)

    return make


@pytest.fixture
async def ledger(new_ledger: Callable[..., Ledger]) -> AsyncIterator[Ledger]:
    opened = new_ledger()
    await opened.open()
    yield opened
    await opened.close()
