"""When a policy acts: what only takes away at once, everything else after the cooling time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.signer.policy import Contract
from agent.signer.policy.tightening import only_tightens
from shared.bitcoin.address import address_of
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.wire.contract import Approver, Destination, SpendingPolicy, contract_id
from tests.agent.signer.scene import LIMITS, NETWORK, OWNERS, SUPPLIER, parsed, policy, public, terms

KNOWN = terms()
SUBJECT = contract_id(KNOWN)
LANDLORD = p2wpkh(public_key_of(b"\x0b" * 32))
PLACES = tuple(
    Destination(name, str(address_of(script, NETWORK)), 0)
    for name, script in (("supplier", SUPPLIER), ("landlord", LANDLORD))
)
FIRST = policy(SUBJECT, allow_list=PLACES, approvals_needed=2)
LEARNT, COOLING = 1_000, FIRST.cooling_blocks
LESS = msgspec.structs.replace(LIMITS, per_tx_sat=1_000)
MORE = msgspec.structs.replace(LIMITS, lifetime_sat=LIMITS.lifetime_sat + 1)


def changed(document: SpendingPolicy = FIRST, **fields: object) -> SpendingPolicy:
    return msgspec.structs.replace(document, policy_version=document.policy_version + 1, **fields)


def contract(*policies: tuple[SpendingPolicy, int]) -> Contract:
    """With the first policy taken long ago, and each of `policies` at its height."""
    made = Contract(SUBJECT, KNOWN, parsed(KNOWN.descriptor), ()).with_policy(FIRST, 100)
    for document, learnt_height in policies:
        made = made.with_policy(document, learnt_height)
    return made


TIGHTER = [
    {},
    {"limits": LESS},
    {"limits": msgspec.structs.replace(LIMITS, window_blocks=LIMITS.window_blocks * 2)},
    {"limits": msgspec.structs.replace(LIMITS, fee_sat=0, fee_rate_sat_vb=0, weight_wu=0)},
    {"allow_list": PLACES[:1]},
    {"allow_list": ()},
    {"approvals_needed": 3},
    {"approvers": tuple(each for each in FIRST.approvers if each.person != "Ida")},
]
STRANGER = Approver("eve", "Eve", "approver", public(OWNERS[0]))
OTHER = [
    {"limits": MORE},
    {"limits": msgspec.structs.replace(LESS, window_blocks=LIMITS.window_blocks - 1)},
    {"limits": LESS, "approvals_needed": 1},
    {"allow_list": (*PLACES, Destination("third", str(address_of(p2wpkh(public_key_of(b"\x0c" * 32)), NETWORK)), 0))},
    {"allow_list": (msgspec.structs.replace(PLACES[0], name="landlord"),)},
    {"approvers": (*FIRST.approvers, STRANGER)},
    {"approvers": (STRANGER, *FIRST.approvers[1:])},
    {"approvers": tuple(each for each in FIRST.approvers if each.person != "Rob"), "recovery_role_people": ("Rea",)},
    {"approvers": tuple(each for each in FIRST.approvers if each.person != "Rob")},
    {"owners": FIRST.owners[:2]},
    {"owners_needed": 3},
    {"limits": LESS, "cooling_blocks": COOLING - 1},
    {"cooling_blocks": COOLING + 1},
    {"witnesses": (public(OWNERS[0]),)},
    {"witnesses": (public(OWNERS[0]),), "witnesses_needed": 1},
    {"contract_id": "ab" * 32},
]


@pytest.mark.parametrize("fields", TIGHTER, ids=str)
def test_what_only_takes_away_acts_at_once(fields):
    assert contract((changed(**fields), LEARNT)).in_force(LEARNT).policy.policy_version == 2


@pytest.mark.parametrize("fields", OTHER, ids=str)
def test_everything_else_waits_for_the_cooling_time(fields):
    made = contract((changed(**fields), LEARNT))
    assert made.in_force(LEARNT + COOLING - 1).policy == FIRST
    assert made.in_force(LEARNT + COOLING).policy.policy_version == 2


_LIMITS = st.builds(type(LIMITS), *[st.integers(0, 3)] * 2, st.integers(1, 3), *[st.integers(0, 3)] * 4)


@given(_LIMITS, _LIMITS)
def test_two_policies_that_tighten_each_other_are_one(one, other):
    """No pair of policies can be gone around in a circle without a wait."""
    here, there = changed(limits=one), changed(limits=other)
    assert not (only_tightens(here, there) and only_tightens(there, here)) or here == there


def test_a_tightening_does_not_shorten_the_wait_of_the_loosening_behind_it():
    tighter = changed(limits=LESS)
    back = changed(tighter, limits=LIMITS)
    made = contract((tighter, LEARNT), (back, LEARNT + 1))
    assert made.in_force(LEARNT + COOLING).policy == tighter
    assert made.in_force(LEARNT + 1 + COOLING).policy == back


def test_a_tightening_is_past_those_that_wait():
    """The emergency brake: a loosening that somebody stole the keys for never acts."""
    looser = changed(limits=MORE)
    brake = changed(looser, limits=LESS)
    made = contract((looser, LEARNT), (brake, LEARNT + 10))
    assert made.in_force(LEARNT + 9).policy == FIRST
    assert made.in_force(LEARNT + 10).policy == brake
    assert made.in_force(LEARNT + 10 * COOLING).policy == brake


def test_what_is_less_than_a_policy_that_waits_is_not_less_than_the_one_in_force():
    looser = changed(limits=msgspec.structs.replace(MORE, lifetime_sat=MORE.lifetime_sat + 1))
    between = changed(looser, limits=MORE)
    made = contract((looser, LEARNT), (between, LEARNT + 1))
    assert made.in_force(LEARNT + 1).policy == FIRST
    assert made.in_force(LEARNT + 1 + COOLING).policy == between


def test_a_policy_that_waits_shortens_no_wait():
    impatient = changed(cooling_blocks=0)
    looser = changed(impatient, limits=MORE)
    made = contract((impatient, LEARNT), (looser, LEARNT + 1))
    assert made.in_force(LEARNT + 1).policy == FIRST
    assert made.policies[-1].effective_height == LEARNT + 1 + COOLING


def test_a_destination_that_stays_listed_does_not_wait_again():
    made = contract((changed(limits=MORE), LEARNT))
    assert made.policies[1].payable_from == made.policies[0].payable_from


def test_a_destination_that_went_waits_when_it_comes_again():
    tighter = changed(allow_list=PLACES[:1])
    back = changed(tighter, allow_list=PLACES)
    made = contract((tighter, LEARNT), (back, LEARNT + 1))
    assert made.policies[-1].payable_from == {SUPPLIER: COOLING, LANDLORD: LEARNT + 1 + COOLING}
