"""When recoveries open, and what is proposed before they do."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from controller.contracts.calendar import WARN_BLOCKS, Opening, calendar, refreshes
from controller.contracts.route import routes
from controller.contracts.template.vault import DatedReserve
from tests.controller.contracts.scene import AGREEMENT, LIMITS, VAULT, FakeCoins, agreement, denied, party

FOUND = routes(VAULT.compile(AGREEMENT).terms.descriptor, AGREEMENT.parties)
SCRIPT = bytes([0, 32]) + bytes(32)
LOCK = 4_320
DUE_BLOCKS = LOCK // 5


def proposed(coins, height, **changes):
    options = {"script": SCRIPT, "fee_rate_sat_vb": 5, "limits": LIMITS} | changes
    return refreshes(FOUND, coins, height, **options)


def test_each_coin_has_its_own_date():
    held = FakeCoins()
    old, young, waiting = held.add(1, 796_000), held.add(2, 800_000), held.add(3, None)
    dates = calendar(FOUND, (waiting, young, old), 800_100)
    assert [date.txid for date in dates] == [old.txid, young.txid, waiting.txid]
    assert [date.opens_at_height for date in dates] == [800_320, 804_320, None]
    assert [date.blocks_left for date in dates] == [219, 4_219, None]
    assert [date.state for date in dates] == [Opening.DUE, Opening.CLOSED, Opening.UNKNOWN]
    assert {date.path for date in dates} == {"recovery after 4320"}


def test_a_recovery_is_open_when_the_next_block_may_hold_it():
    coin = FakeCoins().add(1, 800_000)
    opens = 800_000 + LOCK
    (before,) = calendar(FOUND, (coin,), opens - 2)
    assert (before.state, before.blocks_left) == (Opening.DUE, 1)
    (now,) = calendar(FOUND, (coin,), opens - 1)
    assert (now.state, now.blocks_left) == (Opening.OPEN, 0)


@given(st.integers(1, LOCK * 2))
def test_a_warning_comes_between_closed_and_open(age):
    coin = FakeCoins().add(1, 800_000)
    (date,) = calendar(FOUND, (coin,), 800_000 + age)
    left = LOCK - age - 1
    expected = Opening.OPEN if left <= 0 else Opening.DUE if left <= DUE_BLOCKS else Opening.CLOSED
    assert date.state is expected


def test_short_locks_are_warned_of_two_days_before():
    short = tuple(
        msgspec.structs.replace(one.path, older_blocks=300) if one.path.older_blocks else one.path for one in FOUND
    )
    found = tuple(type(one)(path, one.input_wu) for one, path in zip(FOUND, short, strict=True))
    coin = FakeCoins().add(1, 800_000)
    (date,) = calendar(found, (coin,), 800_000 + 300 - WARN_BLOCKS - 1)
    assert date.state is Opening.DUE


def test_what_is_due_is_moved_together_by_the_path_of_the_signers():
    held = FakeCoins()
    due = [held.add(number, 796_000 + number) for number in range(3)]
    held.add(9, 800_000)
    held.add(10, None)
    (one,) = proposed(held.held, 800_100)
    assert one.coins == tuple(due)
    assert one.cost.path == "signers"
    assert one.before_height == 796_000 + LOCK
    assert one.amount_sat == 3 * 10**6
    assert one.cost.fees_sat == {5: 5 * one.cost.vsize_vb}


def test_nothing_due_nothing_proposed():
    held = FakeCoins()
    held.add(1, 800_000)
    assert proposed(held.held, 800_100) == ()


def test_a_refresh_stays_within_the_weight_that_the_contract_allows():
    held = FakeCoins()
    for number in range(20):
        held.add(number, 796_000 + number)
    narrow = msgspec.structs.replace(LIMITS, weight_wu=3_000)
    found = proposed(held.held, 800_100, limits=narrow)
    assert len(found) == 4
    assert sum(len(one.coins) for one in found) == 20
    assert all(one.cost.weight_wu <= 3_000 for one in found)
    tiny = msgspec.structs.replace(LIMITS, weight_wu=400)
    assert proposed(held.held, 800_100, limits=tiny) == ()


def test_a_refresh_stays_within_the_fee_that_the_contract_allows():
    held = FakeCoins()
    for number in range(20):
        held.add(number, 796_000 + number)
    frugal = msgspec.structs.replace(LIMITS, fee_sat=5_000)
    found = proposed(held.held, 800_100, limits=frugal)
    assert sum(len(one.coins) for one in found) == 20
    assert all(one.cost.fees_sat[5] <= 5_000 for one in found)
    with denied("budget.fee"):
        proposed(held.held, 800_100, fee_rate_sat_vb=201)


def test_a_coin_worth_less_than_its_move_stays():
    held = FakeCoins()
    held.add(1, 796_000, amount_sat=500)
    assert proposed(held.held, 800_100) == ()
    assert len(proposed(held.held, 800_100, fee_rate_sat_vb=1)) == 1


def test_where_no_path_is_open_nothing_can_be_refreshed():
    parties = tuple(party(name, number) for number, name in enumerate(("Anna", "Ben", "Carl")))
    reserve = DatedReserve(signers=("Anna", "Ben", "Carl"), opens_at_height=900_000).compile(agreement(*parties))
    found = routes(reserve.terms.descriptor, parties)
    coin = FakeCoins().add(1, 796_000)
    assert calendar(found, (coin,), 800_100) == ()
    assert refreshes(found, (coin,), 800_100, script=SCRIPT, fee_rate_sat_vb=5, limits=LIMITS) == ()
