"""Who floods the door fills neither the spool nor the journal."""

from typing import Any

import pytest

from agent.site.commands import denials as denials_module
from agent.site.commands.denials import FEW
from agent.site.commands.pace import Pace
from shared.actions import Sleep
from shared.crypto.signing import seal
from shared.wire.command import DOMAIN, Order, OutcomeBatch
from tests.agent.site.commands.house import FIRST, House


class Listening(House):
    """Keeps the details as well."""

    details: list[tuple[str, str]]

    async def _store(self, batch: OutcomeBatch, rows: int) -> int:
        self.details = [*getattr(self, "details", []), *((row.rule, row.detail) for row in batch.rows)]
        return await super()._store(batch, rows)


@pytest.fixture
async def house(tmp_path):
    house = Listening(tmp_path)
    yield house
    await house.aclose()


async def test_garbage_beyond_the_first_few_is_one_row(house: Any):
    for _ in range(500):
        await house.service.command_received(b"garbage")
    for _ in range(7):
        await house.send(house.command(Order(FIRST, Sleep())), house.thief)
    await house.until(*["refused"] * FEW)
    assert len(house.rows) == FEW
    await house.service.aclose()  # also at the end nothing stays unsaid
    await house.until(*["refused"] * (FEW + 1))
    assert house.details[-1] == (
        "command.flood",
        "487 more messages were refused within 60 s: command.malformed 480, command.signature 7",
    )


async def test_after_the_minute_its_sum_is_told_and_single_ones_again(house: Any, monkeypatch):
    monkeypatch.setattr(denials_module, "WINDOW_S", 0.1)
    for _ in range(FEW + 1):
        await house.service.command_received(b"garbage")
    assert (await house.until(*["refused"] * (FEW + 1)))[-1] == ("refused", "command.flood")
    await house.service.command_received(b"garbage")
    assert (await house.until(*["refused"] * (FEW + 2)))[-1] == ("refused", "command.malformed")


async def test_a_refused_command_that_somebody_repeats_for_ever_is_bounded_too(house: Any):
    house.service._pace = Pace(0, house.clock)
    sealed = seal(DOMAIN, house.command(Order(FIRST, Sleep())), (house.operator,))
    for _ in range(500):
        await house.service.command_received(sealed)
    await house.until(*["refused"] * (FEW + 1))
    assert len(house.rows) == FEW + 1
