"""Any byte of the file: either the change is found, or nothing that the ledger says has changed."""

import random
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.signer.ledger import Entry, EntryKind, Ledger, Note, WitnessBook, require_remembered
from shared.errors import BesError, Corrupt, Denied
from tests.agent.signer.ledger.scene import CONTRACT, LIMITS, START, WIDE_LIMITS, spend, txid

ROWS = 40
FLIPS = 250


async def written(new_ledger: Callable[..., Ledger], rows: int = ROWS) -> list[Entry]:
    ledger = new_ledger()
    await ledger.open()
    for number in range(rows):
        await ledger.debit(spend(number), WIDE_LIMITS, START)
        await ledger.record(Note(kind=EntryKind.REFUSAL, body=b"limit.window"), START)
    entries = await ledger.after(0, 10_000)
    await ledger.close()
    return entries


async def reading(new_ledger: Callable[..., Ledger]) -> list[Entry]:
    ledger = new_ledger()
    await ledger.open()
    try:
        return await ledger.after(0, 10_000)
    finally:
        await ledger.close()


async def test_any_flipped_bit_is_found_or_says_nothing(new_ledger: Callable[..., Ledger], tmp_path: Path) -> None:
    entries = await written(new_ledger)
    file = tmp_path / "ledger.db"
    content, draw = file.read_bytes(), random.Random(3)
    found = 0
    for _ in range(FLIPS):
        position, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
        file.write_bytes(content[:position] + bytes((content[position] ^ bit,)) + content[position + 1 :])
        try:
            assert await reading(new_ledger) == entries, f"byte {position}"
        except BesError:
            found += 1
        finally:
            for companion in ("ledger.db-wal", "ledger.db-shm"):
                (tmp_path / companion).unlink(missing_ok=True)
    assert found > FLIPS // 3  # the rest is room that no row uses
    file.write_bytes(content)
    assert await reading(new_ledger) == entries


async def test_any_flipped_bit_of_the_log_is_found_or_says_nothing(tmp_path: Path) -> None:
    """The newest rows stand in the write-ahead log, where SQLite itself passes over what is damaged."""
    live = Ledger(tmp_path / "live.db", box_id="box-a", boot_id="boot-1")
    await live.open()
    for number in range(6):
        await live.debit(spend(number), WIDE_LIMITS, START)
    entries = await live.after(0, 10_000)
    database, log = (tmp_path / "live.db").read_bytes(), (tmp_path / "live.db-wal").read_bytes()
    await live.close()
    draw, found = random.Random(4), 0
    for number in range(FLIPS):
        place = tmp_path / f"{number}.db"
        position = draw.randrange(len(log))
        changed = log[:position] + bytes((log[position] ^ 1 << draw.randrange(8),)) + log[position + 1 :]
        place.write_bytes(database)
        place.with_name(f"{number}.db-wal").write_bytes(changed)
        ledger = Ledger(place, box_id="box-a", boot_id="boot-1")
        try:
            await ledger.open()
            assert await ledger.after(0, 10_000) == entries, f"byte {position}"
            await ledger.close()
        except Corrupt:
            found += 1
    assert found > FLIPS * 9 // 10


EDITS = {
    "a debit made smaller": "UPDATE entry SET debit_sat = 1 WHERE seq = 4",
    "a running sum made smaller": "UPDATE entry SET spent_sat = 1000 WHERE seq = 80",
    "an older time": "UPDATE entry SET height = 1, mtp_s = 1 WHERE seq = 4",
    "another boot": "UPDATE entry SET boot_id = 'boot-0' WHERE seq = 4",
    "another transaction": f"UPDATE entry SET txid = '{txid(999)}' WHERE seq = 4",
    "another body": "UPDATE entry SET body = x'90' WHERE seq = 3",
    "a row gone": "DELETE FROM entry WHERE seq = 4",
    "the first row gone": "DELETE FROM entry WHERE seq = 1",
    "rows exchanged": "UPDATE entry SET seq = -seq WHERE seq IN (3, 5); UPDATE entry SET seq = 8 + seq WHERE seq < 0",
    "a reservation gone": f"DELETE FROM reservation WHERE outpoint = '{txid(10_000)}:0'",
    "a reservation that ends sooner": "UPDATE reservation SET until_height = 0",
    "a family pointed elsewhere": f"UPDATE family SET seq = 2 WHERE txid = '{txid(1)}'",
    "no index": "DROP INDEX entry_subject",
    "no triggers": "SELECT 1",
}


@pytest.mark.parametrize("edit", EDITS)
async def test_what_an_editor_of_the_file_does_is_found(
    new_ledger: Callable[..., Ledger], tmp_path: Path, edit: str
) -> None:
    await written(new_ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as intruder:
        triggers = intruder.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        dropped = "; ".join(f"DROP TRIGGER {name}" for name, _ in triggers)
        restored = "; ".join(sql for _, sql in triggers)
        intruder.executescript(f"{dropped}; {EDITS[edit]}; {restored if edit != 'no triggers' else ''};")
    with pytest.raises(Corrupt):
        await reading(new_ledger)


async def test_a_chain_written_anew_is_found_by_a_witness(new_ledger: Callable[..., Ledger], tmp_path: Path) -> None:
    """Who may write the file can make a whole chain; but not the one that the witness remembers."""
    witness_ledger = new_ledger("witness.db", box_id="box-w")
    await witness_ledger.open()
    witness = WitnessBook(witness_ledger)
    ledger = new_ledger()
    await ledger.open()
    await ledger.debit(spend(1), LIMITS, START)
    await witness.remember(await ledger.head(), START)
    await ledger.close()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    await written(new_ledger, 3)
    forged = new_ledger()
    await forged.open()
    with pytest.raises(Denied) as caught:
        await require_remembered(forged, {"box-w": await witness.memory_of("box-a")}, 1)
    assert caught.value.rule == "ledger.rollback"
    await forged.close()
    await witness_ledger.close()


async def test_a_torn_end_is_refused_unless_witnesses_are_asked(tmp_path: Path) -> None:
    """The last commit of a write-ahead log that was not merged, with a sector lost."""
    live = Ledger(tmp_path / "live.db", box_id="box-a", boot_id="boot-1")
    await live.open()
    for number in range(2):
        await live.debit(spend(number), LIMITS, START)
    head = await live.head()
    for suffix in ("", "-wal"):
        (tmp_path / f"torn.db{suffix}").write_bytes((tmp_path / f"live.db{suffix}").read_bytes())
    await live.close()
    log = bytearray((tmp_path / "torn.db-wal").read_bytes())
    page_bytes = struct.unpack(">I", log[8:12])[0]
    last_page = len(log) - page_bytes
    log[last_page : last_page + 512] = bytes(512)
    (tmp_path / "torn.db-wal").write_bytes(log)
    for _ in range(2):  # the first try leaves the second nothing else to see
        with pytest.raises(Corrupt):
            await Ledger(tmp_path / "torn.db", box_id="box-a", boot_id="boot-1").open()
    assert (tmp_path / "torn.db-wal").read_bytes() == log
    torn = Ledger(tmp_path / "torn.db", box_id="box-a", boot_id="boot-1", accept_torn_end=True)
    left = await torn.open()
    assert left.seq < head.seq
    with pytest.raises(Denied):
        await require_remembered(torn, {"box-w": head}, 1)
    await torn.close()


async def test_the_ledger_says_nothing_of_rows_that_another_contract_spent(ledger: Ledger) -> None:
    await ledger.debit(spend(1, contract_id="d" * 64), LIMITS, START)
    assert await ledger.spent(CONTRACT, 144, START) == (0, 0)
