"""A disk that does not open is tried again; what opens is not opened twice."""

from pathlib import Path

import pytest

from agent import storage
from agent.site.commands.ledger import Ledger
from agent.spool import Spool
from agent.storage import Storage


async def test_what_cannot_be_opened_is_told_and_opens_when_the_disk_is_mended(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    (tmp_path / "commands.db").mkdir()  # no database can be opened there, by whatever user
    (tmp_path / "spool").write_text("no folder")
    ledger, spool = Ledger(tmp_path / "commands.db"), Spool(tmp_path / "spool", machine_id="m")
    told: list[tuple[str, bool]] = []

    async def open_ledger() -> None:
        ledger.open()

    parts = Storage(
        {"ledger": open_ledger, "spool": spool.open},
        lambda part, _detail: told.append((part, False)),
        lambda part: told.append((part, True)),
    )
    await parts.open()
    assert told == [("ledger", False), ("spool", False)]
    assert not ledger.serves
    (tmp_path / "commands.db").rmdir()
    await parts.open()
    assert told[2:] == [("ledger", True), ("spool", False)]
    (tmp_path / "spool").unlink()
    await parts.run()
    assert told[-1] == ("spool", True)
    assert ledger.serves
    assert (await spool.lanes())[0].rows == 0
    await spool.close()
    ledger.close()


async def test_a_bug_is_not_taken_for_a_broken_disk() -> None:
    async def bug() -> None:
        raise TypeError("not the disk's fault")

    with pytest.raises(TypeError):
        await Storage({"ledger": bug}, lambda _part, _detail: None, lambda _part: None).open()
