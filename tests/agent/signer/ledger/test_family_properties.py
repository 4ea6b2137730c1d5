"""Whatever replaces what: all versions that could confirm together cost no more than what was debited."""

import asyncio
import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.signer.ledger import Ledger, Spend
from shared.errors import Denied
from tests.agent.signer.ledger.scene import CONTRACT, START, WIDE_LIMITS, spend, txid

OUTPOINTS = ("a:0", "b:0", "c:0")
EVERYTHING_EARLIER = frozenset(range(6))
VERSIONS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(OUTPOINTS), min_size=1, max_size=2),
        st.sampled_from((100, 100, 100, 300)),  # external_sat
        st.integers(0, 50),  # fee_sat
        st.just(EVERYTHING_EARLIER) | st.frozensets(st.integers(0, 5)),  # the numbers of those it replaces
        st.sampled_from((-1, 100)),  # blocks that its outpoints stay reserved
    ),
    min_size=3,
    max_size=6,
)
Version = tuple[set[str], int, int, frozenset[int], int]


def dearest_sat(signed: list[Spend]) -> int:
    """The most that can leave the contract: of transactions that share an outpoint only one confirms."""
    totals = [0]
    for size in range(1, len(signed) + 1):
        for chosen in itertools.combinations(signed, size):
            used = [outpoint for each in chosen for outpoint in each.outpoints]
            if len(used) == len(set(used)):
                totals.append(sum(each.total_sat for each in chosen))
    return max(totals)


async def bump(folder: Path, versions: list[Version]) -> None:
    ledger = Ledger(folder / "ledger.db", box_id="box", boot_id="boot-1")
    await ledger.open()
    signed: list[Spend] = []
    for number, (outpoints, external_sat, fee_sat, replaced, blocks) in enumerate(versions):
        version = spend(
            number,
            external_sat=external_sat,
            external_digest=external_sat.to_bytes(32, "big"),
            fee_sat=fee_sat,
            outpoints=tuple(sorted(outpoints)),
            replaces=tuple(txid(earlier) for earlier in sorted(replaced)),
            reserved_until_height=START.height + blocks,
        )
        try:
            await ledger.debit(version, WIDE_LIMITS, START)
        except Denied:  # an outpoint is reserved
            continue
        signed.append(version)
        assert dearest_sat(signed) <= (await ledger.spent(CONTRACT, 144, START)).lifetime_sat
    await ledger.verify()
    await ledger.close()


@given(VERSIONS)
@settings(max_examples=60, deadline=None)
def test_no_choice_of_versions_costs_more_than_was_debited(versions: list[Version]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bump(Path(folder), versions))
