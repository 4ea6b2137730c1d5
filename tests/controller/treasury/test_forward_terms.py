"""The points that people are shown are points of the curve that is signed."""

import msgspec
import pytest

from controller.treasury.forward_terms import terms_view
from shared.forward.curve import miner_sat, reached_at, steps
from tests.controller.console.fake_forward import HEDGE, TERMS


@pytest.mark.parametrize(
    "changes",
    [{}, {"price_sat": 300_000}, {"price_sat": 20_000_000}, {"buyer_collateral_sat": 5_000_000}],
)
@pytest.mark.parametrize("unit", [100_000_000, 1_000_000])
def test_every_point_is_what_its_settlement_pays(changes: dict[str, int], unit: int) -> None:
    terms = msgspec.structs.replace(TERMS, hedge=msgspec.structs.replace(HEDGE, **changes), unit=unit)
    signed = steps(terms.hedge, unit=unit, outcomes=terms.outcomes, rounding_sat=terms.rounding_sat)
    shown = terms_view("ab", "hedge", terms).payouts
    for one in shown:
        outcome = one.difficulty // unit
        (paid,) = (step.miner_sat for step in signed if step.first <= outcome <= step.last)
        assert (one.miner_sat, one.buyer_sat) == (paid, terms.hedge.total_sat - paid)
    assert shown[0].miner_sat == signed[0].miner_sat  # it holds for every lower difficulty
    assert shown[-1].miner_sat == signed[-1].miner_sat  # and this one for every higher


def test_a_payout_is_reached_at_the_least_difficulty_that_pays_it() -> None:
    for sat in (1, 300_000, 600_000, 1_199_999, 1_200_000):
        at = reached_at(HEDGE, sat)
        assert at is not None
        assert miner_sat(HEDGE, at - 1) < sat <= miner_sat(HEDGE, at)
    assert reached_at(HEDGE, 600_000 + 1_886_001) is None
