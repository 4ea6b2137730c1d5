"""Stages by contract, with a journal on the disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.controller.signing.money import operating, vault
from tests.controller.signing.stage import Stage, journal_at


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A vault and an operating wallet, each with four coins of a hundredth of a bitcoin."""
    async with journal_at(tmp_path) as store:
        made = Stage(store, vault(), operating())
        await made.restore()
        for contract in made.contracts.values():
            for number in range(4):
                made.chain.fund(contract, 10_000_000 + number, number)
        yield made


@pytest.fixture
def safe(stage: Stage):
    """The vault: wsh, two of three."""
    return next(one for one in stage.contracts.values() if one.terms.name == "vault")


@pytest.fixture
def wallet(stage: Stage):
    """The operating wallet: Taproot, all three by the key path or two by a leaf."""
    return next(one for one in stage.contracts.values() if one.terms.name == "operating")
