"""Fee bumping (BIP-125): what replaces costs only what it adds, where only one of the versions can confirm."""

import pytest

from agent.signer.ledger import Ledger
from shared.errors import Denied
from tests.agent.signer.ledger.scene import CONTRACT, LIMITS, START, spend, txid


async def spent(ledger: Ledger) -> int:
    return (await ledger.spent(CONTRACT, 144, START)).lifetime_sat


async def test_a_replacement_costs_the_extra_fee(ledger: Ledger) -> None:
    await ledger.debit(spend(1, external_sat=500, fee_sat=100, outpoints=("a:0", "b:0")), LIMITS, START)
    second = spend(2, external_sat=500, fee_sat=250, outpoints=("a:0", "c:0"), replaces=(txid(1),))
    assert (await ledger.debit(second, LIMITS, START)).entry.debit_sat == 150
    third = spend(3, external_sat=500, fee_sat=300, outpoints=("a:0",), replaces=(txid(1), txid(2)))
    assert (await ledger.debit(third, LIMITS, START)).entry.debit_sat == 50
    assert await spent(ledger) == 800


async def test_a_cheaper_version_costs_nothing_and_refunds_nothing(ledger: Ledger) -> None:
    await ledger.debit(spend(1, external_sat=500, fee_sat=300, outpoints=("a:0",)), LIMITS, START)
    cheaper = spend(2, external_sat=500, fee_sat=100, outpoints=("a:0",), replaces=(txid(1),))
    assert (await ledger.debit(cheaper, LIMITS, START)).entry.debit_sat == 0
    back = spend(3, external_sat=500, fee_sat=310, outpoints=("a:0",), replaces=(txid(1), txid(2)))
    assert (await ledger.debit(back, LIMITS, START)).entry.debit_sat == 10


async def test_versions_that_share_inputs_only_in_pairs_are_not_one_family(ledger: Ledger) -> None:
    """1 spends a and b, 2 spends b and c, 3 spends c: the first and the third could both confirm."""
    await ledger.debit(spend(1, external_sat=500, outpoints=("a:0", "b:0")), LIMITS, START)
    await ledger.debit(spend(2, external_sat=500, outpoints=("b:0", "c:0"), replaces=(txid(1),)), LIMITS, START)
    third = spend(3, external_sat=500, outpoints=("c:0",), replaces=(txid(1), txid(2)))
    assert (await ledger.debit(third, LIMITS, START)).entry.debit_sat == 600
    assert await spent(ledger) == 1_200


async def test_a_version_named_after_the_first_alone_still_counts_all_of_them(ledger: Ledger) -> None:
    """2 narrowed the common inputs to b; 3 names only 1 and shares a with it, but 2 and 3 could both confirm."""
    await ledger.debit(spend(1, external_sat=500, outpoints=("a:0", "b:0")), LIMITS, START)
    await ledger.debit(spend(2, external_sat=500, outpoints=("b:0",), replaces=(txid(1),)), LIMITS, START)
    third = spend(3, external_sat=500, outpoints=("a:0",), replaces=(txid(1),))
    assert (await ledger.debit(third, LIMITS, START)).entry.debit_sat == 600


async def test_an_outpoint_of_a_version_that_is_not_named_is_reserved(ledger: Ledger) -> None:
    await ledger.debit(spend(1, external_sat=500, outpoints=("a:0",)), LIMITS, START)
    await ledger.debit(spend(2, external_sat=500, outpoints=("a:0",), replaces=(txid(1),)), LIMITS, START)
    with pytest.raises(Denied) as caught:
        await ledger.debit(spend(3, external_sat=500, outpoints=("a:0",), replaces=(txid(1),)), LIMITS, START)
    assert caught.value.rule == "input.reserved"


async def test_other_outputs_are_another_payment(ledger: Ledger) -> None:
    await ledger.debit(spend(1, external_sat=500, outpoints=("a:0",)), LIMITS, START)
    other = spend(2, external_sat=500, external_digest=b"\x0f" * 32, outpoints=("a:0",), replaces=(txid(1),))
    assert (await ledger.debit(other, LIMITS, START)).entry.debit_sat == 600


async def test_a_stranger_cannot_be_replaced(ledger: Ledger) -> None:
    one = spend(1, external_sat=500, outpoints=("a:0",), replaces=(txid(99),))
    assert (await ledger.debit(one, LIMITS, START)).entry.debit_sat == 600
    foreign = spend(2, external_sat=500, outpoints=("a:0",), replaces=(txid(1),), contract_id="d" * 64)
    assert (await ledger.debit(foreign, LIMITS, START)).entry.debit_sat == 600


async def test_the_whole_transaction_stands_against_the_limit_of_one(ledger: Ledger) -> None:
    await ledger.debit(spend(1, external_sat=900, fee_sat=100, outpoints=("a:0",)), LIMITS, START)
    dear = spend(2, external_sat=900, fee_sat=101, outpoints=("a:0",), replaces=(txid(1),))
    with pytest.raises(Denied) as caught:
        await ledger.debit(dear, LIMITS, START)
    assert caught.value.rule == "limit.tx"
