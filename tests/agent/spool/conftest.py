"""Spools in temporary folders."""

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.spool import Spool, SpoolLimits
from shared.wire.event import Event, EventBatch
from shared.wire.record import RecordKind

MACHINE = "0123456789abcdef"
OpenSpool = Callable[..., "object"]


def event_batch(number: int, size: int = 10) -> EventBatch:
    """Text that does not compress, so that a row has about half the size asked for."""
    text = random.Random(number).randbytes(size // 2).hex()
    return EventBatch(events=(Event(number, "test", "device", 0, text),))


@pytest.fixture
async def open_spool(tmp_path: Path) -> AsyncIterator[OpenSpool]:
    """Opens the spool in a folder; all are closed at the end."""
    opened: list[Spool] = []

    async def open_one(folder: Path = tmp_path / "spool", *, machine_id: str = MACHINE, **limits: float) -> Spool:
        spool = Spool(folder, machine_id=machine_id, limits=SpoolLimits(**limits) if limits else None)
        await spool.open()
        opened.append(spool)
        return spool

    yield open_one
    for spool in opened:
        if spool._file.committer._open:
            await spool.close()


@pytest.fixture
def append():
    async def append_many(spool: Spool, count: int, *, kind: RecordKind = RecordKind.TELEMETRY, size: int = 10) -> None:
        for number in range(count):
            await spool.append(kind, event_batch(number, size), 1)

    return append_many
