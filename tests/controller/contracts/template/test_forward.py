"""The forward as a form: what it compiles to, and forms that could never be settled."""

import msgspec
import pytest

from controller.contracts.route import routes
from controller.contracts.sentence import sentences
from controller.contracts.template.forward import HashrateForward
from tests.controller.contracts.scene import agreement, denied, destination, party, static_key
from tests.shared.forward.scene import HEDGE, TERMS

FORWARD = HashrateForward(
    miner="Anna",
    buyer="Ben",
    hedge=HEDGE,
    oracle_key=TERMS.oracle_key,
    event_id=TERMS.event_id,
    unit=10**9,
    nb_digits=18,
    rounding_sat=20_000,
    settle_height=820_512,
    refund_height=822_000,
    miner_address=destination("Anna", 1).address,
    buyer_address=destination("Ben", 2).address,
    fee_rate_sat_vb=5,
)
PARTIES = agreement(party("Anna", 0, key=static_key), party("Ben", 1, key=static_key))


def test_what_both_sides_seal_follows_from_form_and_keys():
    assert FORWARD.terms(FORWARD.compile(PARTIES).terms) == TERMS


def test_the_script_itself_is_a_plain_two_of_two():
    compiled = FORWARD.compile(PARTIES)
    found = routes(compiled.terms.descriptor, compiled.terms.parties)
    assert sentences(found) == ("Anna and Ben together, at once.",)
    assert compiled.expires_at_height == 822_000


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("template.bad-lock", {"settle_height": 790_000}),
        ("template.bad-lock", {"refund_height": 820_512 + 1_008}),
        ("template.bad-oracle", {"oracle_key": b"short"}),
        ("template.bad-oracle", {"event_id": ""}),
        ("template.bad-oracle", {"base": 1}),
        ("template.bad-oracle", {"nb_digits": 41}),
        ("template.bad-oracle", {"unit": 0}),
        ("template.bad-destination", {"miner_address": "nowhere"}),
        ("template.bad-collateral", {"fee_rate_sat_vb": 0}),
        ("template.bad-collateral", {"rounding_sat": 0}),
        ("template.bad-collateral", {"hedge": msgspec.structs.replace(HEDGE, miner_collateral_sat=100)}),
        ("template.bad-collateral", {"hedge": msgspec.structs.replace(HEDGE, price_sat=0)}),
        ("template.bad-collateral", {"unit": 1, "nb_digits": 5}),
        ("template.too-many-outcomes", {"rounding_sat": 1}),
    ],
)
def test_forwards_that_could_not_be_settled_are_refused(rule, changes):
    with denied(rule):
        msgspec.structs.replace(FORWARD, **changes).compile(PARTIES)
