"""Random days of a box: its budget is never overrun, by a count that knows nothing of the ledger's shortcuts."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import Entry, EntryKind, Ledger
from shared.errors import Denied
from tests.agent.signer.ledger.scene import CONTRACT, LIMITS, START, Ticks, spend, txid

WINDOW = LIMITS.window_blocks
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1_100),  # external_sat
        st.integers(0, 300),  # fee_sat
        st.sampled_from((0, 0, 1, 40, 144, 200)),  # blocks since the step before
        st.sampled_from((0, 600, 1_200)),  # chain seconds a block
        st.sampled_from((0, 600, 1_200)),  # monotonic seconds a block
        st.booleans(),  # a reboot before it
        st.sampled_from((None, 1, 2, 3)),  # replaces the transaction so many steps ago
    ),
    max_size=25,
)


def in_window(entry: Entry, now: ChainTime, boot_id: str, mono_ns: int) -> bool:
    elapsed_s = [now.mtp_s - entry.mtp_s, (now.height - entry.height) * 600]
    if entry.boot_id == boot_id:
        elapsed_s.append((mono_ns - entry.mono_ns) / 1e9)
    return min(elapsed_s) < WINDOW * 600


async def a_day(folder: Path, steps: list[tuple[int, int, int, int, int, bool, int | None]]) -> None:
    ticks, boot, now = Ticks(), 1, START
    ledger = Ledger(folder / "ledger.db", box_id="box", boot_id="boot-1", monotonic_ns=ticks)
    await ledger.open()
    for number, (external_sat, fee_sat, blocks, chain_s, mono_s, reboots, back) in enumerate(steps):
        now = ChainTime(now.height + blocks, now.mtp_s + blocks * chain_s)
        ticks.go_s(blocks * mono_s)
        if reboots:
            await ledger.close()
            boot += 1
            ledger = Ledger(folder / "ledger.db", box_id="box", boot_id=f"boot-{boot}", monotonic_ns=ticks)
            await ledger.open()
        replaced = number - back if back is not None and back <= number else None
        outpoint = f"{txid(10_000 + (number if replaced is None else replaced))}:0"
        payment = spend(
            number,
            external_sat=external_sat,
            fee_sat=fee_sat,
            outpoints=(outpoint,),
            replaces=() if replaced is None else tuple(txid(earlier) for earlier in range(number)),
            reserved_until_height=now.height + 10,
        )
        try:
            await ledger.debit(payment, LIMITS, now)
        except Denied:
            continue
        debits = await ledger.all_of(EntryKind.DEBIT, CONTRACT)
        assert sum(entry.debit_sat for entry in debits) <= LIMITS.lifetime_sat
        recent = [entry for entry in debits if in_window(entry, now, f"boot-{boot}", ticks.ns)]
        assert sum(entry.debit_sat for entry in recent) <= LIMITS.window_sat
    await ledger.verify()
    await ledger.close()


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_no_window_is_ever_overrun(steps: list[tuple[int, int, int, int, int, bool, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(a_day(Path(folder), steps))
