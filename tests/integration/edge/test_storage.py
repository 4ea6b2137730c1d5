"""A site whose disk cannot be opened at all still reads, sheds and tells; when the disk is mended it is whole again."""

import asyncio

import pytest

from agent import storage
from agent.site.safety import feeder
from shared.actions import Sleep
from shared.wire.command import Order
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (6, {"Antminer S21": 3, "M60S": 3})


async def test_without_a_disk_the_site_reads_sheds_and_tells(start, sims, desk, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "RETRY_S", 0.5)
    monkeypatch.setattr(feeder, "GRACE_S", 1.0)
    state = tmp_path / "agent"
    (state / "commands.db").mkdir(parents=True)  # what no user can open, root included
    (state / "spool").write_text("no folder")
    limit_w = int((await sims.truth())["feeders"]["site"]["power_w"]) - 2_000
    await start(site_file=sims.changed(tmp_path, limit_w=limit_w))
    await eventually(lambda: {"ledger", "spool"} <= failing(desk), 10, "both parts are told past the disk")

    async with asyncio.timeout(15):
        while (await sims.truth())["feeders"]["site"]["power_w"] > 1.01 * limit_w:
            await asyncio.sleep(0.1)
    assert not desk.batches, "nothing is accepted that no disk keeps"

    miner = sims.miners_of("Antminer S21")[0]
    refused = desk.order(Order(miner, Sleep()))
    (state / "commands.db").rmdir()
    (state / "spool").unlink()
    await eventually(lambda: not failing(desk), 10, "the disk stores again")
    assert not desk.rows_of(refused), "an order that could not be written down was not carried out"
    await eventually(lambda: desk.batches, 5, "readings are kept again")
    ends = await desk.until_ended(desk.order(Order(sims.miners_of("M60S")[0], Sleep())), 1)
    assert all(row.state == "confirmed" for row in ends.values())


def failing(desk) -> set[str]:
    """Parts of the storage whose last word is that they fail."""
    last = {event.subject: event.active for event in desk.events if event.code == "storage.failed"}
    return {part for part, active in last.items() if active}
