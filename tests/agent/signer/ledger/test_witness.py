"""An old disk image is recognised by the boxes that remember what came after it."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.signer.ledger import EntryKind, Head, Ledger, Note, WitnessBook, require_remembered
from shared.errors import Denied
from tests.agent.signer.ledger.scene import LIMITS, START, spend


@pytest.fixture
async def witness(new_ledger: Callable[..., Ledger]) -> AsyncIterator[WitnessBook]:
    ledger = new_ledger("witness.db", box_id="box-w")
    await ledger.open()
    yield WitnessBook(ledger)
    await ledger.close()


async def test_a_witness_remembers_the_highest_head(witness: WitnessBook) -> None:
    one, two = Head("box-a", 7, b"\x01" * 32), Head("box-a", 9, b"\x02" * 32)
    assert await witness.memory_of("box-a") is None
    assert await witness.remember(one, START) == (None, one)
    assert await witness.remember(two, START) == (one, two)
    assert await witness.remember(two, START) == (two, two)
    assert await witness.memory_of("box-a") == two
    assert await witness.memory_of("box-b") is None


@pytest.mark.parametrize("claim", [Head("box-a", 8, b"\x01" * 32), Head("box-a", 9, b"\x03" * 32)])
async def test_a_lower_or_conflicting_head_is_a_rollback(witness: WitnessBook, claim: Head) -> None:
    await witness.remember(Head("box-a", 9, b"\x02" * 32), START)
    with pytest.raises(Denied) as caught:
        await witness.remember(claim, START)
    assert caught.value.rule == "ledger.rollback"


async def test_the_memory_outlives_the_witness(new_ledger: Callable[..., Ledger]) -> None:
    head = Head("box-a", 9, b"\x02" * 32)
    for _ in range(2):
        ledger = new_ledger("witness.db", box_id="box-w")
        await ledger.open()
        await WitnessBook(ledger).remember(head, START)
        assert (await ledger.head()).seq == 2
        await ledger.close()


async def restored(new_ledger: Callable[..., Ledger], tmp_path: Path, witness: WitnessBook) -> Ledger:
    """A ledger whose file was copied, written on and witnessed, and then replaced by the copy."""
    ledger = new_ledger()
    await ledger.open()
    await ledger.debit(spend(1), LIMITS, START)
    await ledger.close()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "image.db")
    ledger = new_ledger()
    await ledger.open()
    await ledger.debit(spend(2), LIMITS, START)
    await witness.remember(await ledger.head(), START)
    await require_remembered(ledger, {"box-w": await witness.memory_of("box-a")}, 1)
    await ledger.close()
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "image.db", tmp_path / "ledger.db")
    old = new_ledger()
    await old.open()
    return old


async def test_a_restored_file_is_refused_at_the_start(
    new_ledger: Callable[..., Ledger], tmp_path: Path, witness: WitnessBook
) -> None:
    old = await restored(new_ledger, tmp_path, witness)
    with pytest.raises(Denied) as caught:
        await require_remembered(old, {"box-w": await witness.memory_of("box-a")}, 1)
    assert caught.value.rule == "ledger.rollback"
    with pytest.raises(Denied):
        await witness.remember(await old.head(), START)
    await old.close()


async def test_rows_that_cost_nothing_do_not_hide_a_restored_file(
    new_ledger: Callable[..., Ledger], tmp_path: Path, witness: WitnessBook
) -> None:
    """The witness takes the higher number; what it remembered before gives the old file away."""
    old = await restored(new_ledger, tmp_path, witness)
    for _ in range(5):
        await old.record(Note(kind=EntryKind.REFUSAL), START)
    debit = await old.debit(spend(3), LIMITS, START)
    memory = await witness.remember(Head("box-a", debit.entry.seq, debit.entry.digest), START)
    await require_remembered(old, {"box-w": memory.now}, 1)
    with pytest.raises(Denied) as caught:
        await require_remembered(old, {"box-w": memory.before}, 1)
    assert caught.value.rule == "ledger.rollback"
    await old.close()


async def test_too_few_witnesses_are_no_quorum(ledger: Ledger) -> None:
    head = await ledger.head()
    await require_remembered(ledger, {"box-b": head, "box-c": None}, 2)
    with pytest.raises(Denied) as caught:
        await require_remembered(ledger, {"box-b": head}, 2)
    assert caught.value.rule == "ledger.quorum"


async def test_the_owners_may_let_a_box_begin_again(witness: WitnessBook) -> None:
    await witness.remember(Head("box-a", 9, b"\x02" * 32), START)
    lower = Head("box-a", 4, b"\x04" * 32)
    await witness.accept_restart(lower, "ceremony-1", b"sealed by the owners", START)
    assert await witness.memory_of("box-a") == lower
    await witness.remember(Head("box-a", 5, b"\x05" * 32), START)
    assert await witness.knows_ceremony("box-a", "ceremony-1")
    assert not await witness.knows_ceremony("box-b", "ceremony-1")
