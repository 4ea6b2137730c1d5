import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import EntryKind, Ledger, Note
from shared.errors import Conflict, Corrupt, Denied, Malformed
from tests.agent.signer.ledger.scene import CONTRACT, LIMITS, START, Ticks, spend, txid

DAY_S = 144 * 600


def later(blocks: int, seconds: int) -> ChainTime:
    return ChainTime(START.height + blocks, START.mtp_s + seconds)


async def denied(ledger: Ledger, *args: object, now: ChainTime = START) -> str:
    with pytest.raises(Denied) as caught:
        await ledger.debit(*args, now)  # type: ignore[arg-type]
    return caught.value.rule


async def test_a_debit_is_a_row_of_the_chain(ledger: Ledger) -> None:
    debit = await ledger.debit(spend(1), LIMITS, START)
    assert debit.fresh
    assert (debit.entry.seq, debit.entry.debit_sat, debit.entry.spent_sat) == (2, 1_000, 1_000)
    assert await ledger.head() == ("box-a", 2, debit.entry.digest)
    assert await ledger.digest_at(1) == debit.entry.previous
    assert await ledger.digest_at(3) is None
    assert await ledger.verify() == await ledger.head()


async def test_the_same_transaction_is_debited_once(ledger: Ledger) -> None:
    first = await ledger.debit(spend(1), LIMITS, START)
    again = await ledger.debit(spend(1, request_id="another"), LIMITS, START)
    assert (again.fresh, again.entry) == (False, first.entry)
    assert await ledger.spent(CONTRACT, 144, START) == (1_000, 1_000)


async def test_a_transaction_of_two_contracts_is_refused(ledger: Ledger) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    assert await denied(ledger, spend(1, contract_id="d" * 64), LIMITS) == "input.reserved"


async def test_a_request_id_with_other_content_is_a_replay(ledger: Ledger) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    assert await denied(ledger, spend(2, request_id="request-1"), LIMITS) == "request.replay"


async def test_an_outpoint_is_reserved_for_its_transaction_until_a_height(ledger: Ledger) -> None:
    one = spend(1)
    await ledger.debit(one, LIMITS, START)
    other = spend(2, outpoints=one.outpoints)
    assert await denied(ledger, other, LIMITS) == "input.reserved"
    assert await denied(ledger, other, LIMITS, now=later(99, 0)) == "input.reserved"
    assert (await ledger.debit(other, LIMITS, later(100, 0))).entry.debit_sat == 1_000


async def test_each_limit_has_its_rule(ledger: Ledger) -> None:
    assert await denied(ledger, spend(1, external_sat=901), LIMITS) == "limit.tx"
    for number in (1, 2):
        await ledger.debit(spend(number), LIMITS, START)
    assert await denied(ledger, spend(3), LIMITS) == "limit.window"
    await ledger.debit(spend(3, external_sat=500, fee_sat=0), LIMITS, START)  # to the last satoshi
    assert await denied(ledger, spend(4, external_sat=1, fee_sat=0), LIMITS) == "limit.window"
    little = msgspec.structs.replace(LIMITS, lifetime_sat=2_999, window_sat=10_000)
    assert await denied(ledger, spend(4, external_sat=500, fee_sat=0), little) == "limit.lifetime"
    await ledger.debit(spend(4, external_sat=499, fee_sat=0), little, START)
    assert await ledger.spent(CONTRACT, 144, START) == (2_999, 2_999)


async def test_contracts_have_budgets_of_their_own(ledger: Ledger) -> None:
    for number in (1, 2):
        await ledger.debit(spend(number), LIMITS, START)
    other = await ledger.debit(spend(3, contract_id="d" * 64), LIMITS, START)
    assert other.entry.spent_sat == 1_000


ELAPSED = (
    # blocks, chain seconds, monotonic seconds -> has the debit left the window?
    (144, DAY_S, DAY_S, True),
    (143, DAY_S, DAY_S, False),
    (144, DAY_S - 1, DAY_S, False),
    (144, DAY_S, DAY_S - 1, False),
    (10_000, 10 * DAY_S, 0, False),
)


@pytest.mark.parametrize(("blocks", "chain_s", "monotonic_s", "left"), ELAPSED)
async def test_the_smallest_elapsed_time_counts(
    ledger: Ledger, ticks: Ticks, blocks: int, chain_s: int, monotonic_s: int, left: bool
) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    ticks.go_s(monotonic_s)
    assert await ledger.spent(CONTRACT, 144, later(blocks, chain_s)) == (0 if left else 1_000, 1_000)


async def test_after_a_reboot_the_chain_alone_tells_the_time(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger(boot_id="boot-1")
    await ledger.open()
    await ledger.debit(spend(1), LIMITS, START)
    await ledger.close()
    rebooted = new_ledger(boot_id="boot-2")
    await rebooted.open()
    assert await rebooted.spent(CONTRACT, 144, START) == (1_000, 1_000)
    assert await rebooted.spent(CONTRACT, 144, later(144, DAY_S)) == (0, 1_000)
    await rebooted.close()


async def test_a_longer_window_brings_debits_back(ledger: Ledger, ticks: Ticks) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    ticks.go_s(DAY_S)
    now = later(144, DAY_S)
    await ledger.debit(spend(2), LIMITS, now)
    assert await ledger.spent(CONTRACT, 144, now) == (1_000, 2_000)
    assert await ledger.spent(CONTRACT, 288, now) == (2_000, 2_000)


async def test_a_clock_far_behind_the_ledger_is_stale(ledger: Ledger) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    reorganised = await ledger.debit(spend(2), LIMITS, later(-6, -3_600))
    assert (reorganised.entry.height, reorganised.entry.mtp_s) == START
    assert await denied(ledger, spend(3), LIMITS, now=later(-7, 0)) == "clock.stale"


async def test_a_refusal_costs_nothing_and_leaves_no_debit(ledger: Ledger) -> None:
    head = await ledger.head()
    await denied(ledger, spend(1, external_sat=5_000), LIMITS)
    assert await ledger.head() == head
    note = Note(kind=EntryKind.REFUSAL, request_id="request-1", request_digest=bytes(32), body=b"limit.tx")
    entry = await ledger.record(note, START)
    assert await ledger.of_request("request-1") == [entry]


async def test_a_registration_that_decided_on_old_rows_is_a_conflict(ledger: Ledger) -> None:
    policy = Note(kind=EntryKind.POLICY, subject=CONTRACT, policy_version=1, body=b"one")
    first = await ledger.record(policy, START, follows_seq=0)
    with pytest.raises(Conflict):
        await ledger.record(policy, START, follows_seq=0)
    second = await ledger.record(policy, START, follows_seq=first.seq)
    assert await ledger.latest(EntryKind.POLICY, CONTRACT) == second
    assert await ledger.all_of(EntryKind.POLICY, CONTRACT) == [first, second]
    assert await ledger.subjects(EntryKind.POLICY) == [CONTRACT]


async def test_parallel_debits_share_the_window(ledger: Ledger) -> None:
    """Ten that each fit alone: two fit together, and the rest is refused."""
    results = await asyncio.gather(
        *(ledger.debit(spend(number), LIMITS, START) for number in range(10)), return_exceptions=True
    )
    assert [isinstance(result, Denied) for result in results] == [False] * 2 + [True] * 8
    assert await ledger.spent(CONTRACT, 144, START) == (2_000, 2_000)


async def test_what_was_answered_is_there_after_a_restart(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger()
    await ledger.open()
    debit = await ledger.debit(spend(1), LIMITS, START)
    await ledger.close()
    reopened = new_ledger()
    assert await reopened.open() == ("box-a", 2, debit.entry.digest)
    assert await reopened.debit_of(txid(1)) == debit.entry
    await reopened.close()


async def test_a_ledger_of_another_box_is_refused(new_ledger: Callable[..., Ledger]) -> None:
    ledger = new_ledger(box_id="box-a")
    await ledger.open()
    await ledger.close()
    with pytest.raises(Corrupt):
        await new_ledger(box_id="box-b").open()


async def test_rows_can_neither_be_changed_nor_deleted(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    with sqlite3.connect(tmp_path / "ledger.db") as intruder:
        for statement in ("UPDATE entry SET debit_sat = 0 WHERE seq = 2", "DELETE FROM entry WHERE seq = 2"):
            with pytest.raises(sqlite3.IntegrityError):
                intruder.execute(statement)
    intruder.close()


async def test_a_ledger_that_cannot_be_written_refuses_by_name(ledger: Ledger) -> None:
    await ledger.close()
    assert await denied(ledger, spend(1), LIMITS) == "ledger.unwritable"


async def test_a_full_disk_refuses_by_name_and_leaves_a_whole_ledger(ledger: Ledger) -> None:
    await ledger.debit(spend(1), LIMITS, START)
    head = await ledger.head()
    ledger._committer.maintain(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    big = Note(kind=EntryKind.REFUSAL, body=bytes(200_000))
    with pytest.raises(Denied) as caught:
        await ledger.record(big, START)
    assert caught.value.rule == "ledger.unwritable"
    assert await ledger.verify() == head


async def test_a_spend_of_nonsense_is_not_taken() -> None:
    for changes in ({"external_sat": -1}, {"fee_sat": -1}, {"outpoints": ()}, {"outpoints": ("a:0", "a:0")}):
        with pytest.raises(Malformed):
            spend(1, **changes)  # type: ignore[arg-type]
