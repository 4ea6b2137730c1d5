"""A forward from the handshake to the chain: every outcome enforceable before anybody pays, one of them in the end."""

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from btclib_wallet.dlc import EnumEventDescriptor
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.consensus import failed_input
from shared.bitcoin.dlc import NumberEvent
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.errors import BitcoinMalformed
from shared.forward.curve import MAX_STEPS, earned_sat, miner_sat, steps
from shared.forward.oracle import announced as checked_announcement
from shared.forward.oracle import check_outcome, check_refund, outcome_of
from shared.forward.promise import check_adaptors, opened, settled
from shared.forward.settlement import stake_sat
from tests.shared.forward.scene import (
    BUYER,
    EVENT,
    HEDGE,
    MATURITY_S,
    MINER,
    NONCES,
    ORACLE,
    TERMS,
    announced,
    attestation,
    denied,
    event_of,
    promises,
    the_deal,
)

PAYOUTS = steps(HEDGE, unit=TERMS.unit, outcomes=TERMS.outcomes, rounding_sat=TERMS.rounding_sat)


@pytest.fixture(scope="module")
def deal():
    return the_deal()


@pytest.fixture(scope="module")
def settlements(deal):
    return deal.settlements


@pytest.fixture(scope="module")
def adaptors():
    """The buyer's promises to the miner."""
    return promises(BUYER)


def test_every_outcome_is_paid_by_exactly_one_prefix(settlements):
    assert len(settlements) < 1_000
    seen = 0
    for settlement in settlements:
        width = 1 << (18 - len(settlement.prefix))
        value = int("".join(map(str, settlement.prefix)), 2) * width
        assert value == seen
        seen += width
    assert seen == 1 << 18


def test_payouts_rise_with_difficulty_and_are_near_the_exact_ones():
    found = PAYOUTS
    assert found[0].miner_sat == 0
    for before, after in pairwise(found):
        assert before.last + 1 == after.first
        assert before.miner_sat < after.miner_sat
    for step in found:
        for outcome in (step.first, step.last):
            exact = miner_sat(HEDGE, outcome * TERMS.unit)
            assert abs(step.miner_sat - exact) <= TERMS.rounding_sat // 2


@given(st.integers(1, 2**18 - 1))
def test_what_one_side_gains_the_other_loses(outcome):
    paid_sat = miner_sat(HEDGE, outcome * TERMS.unit)
    earned = earned_sat(HEDGE, outcome * TERMS.unit)
    assert 0 <= paid_sat <= HEDGE.total_sat
    if 0 < paid_sat < HEDGE.total_sat:
        assert paid_sat + earned == HEDGE.miner_collateral_sat + HEDGE.price_sat


@pytest.mark.parametrize("outcome", [0, 1, 91_000, 120_000, 131_071, 150_000, 2**18 - 1])
def test_what_the_oracle_says_is_what_is_paid_by_consensus(deal, settlements, adaptors, outcome):
    check_adaptors(settlements, public_key_of(BUYER), adaptors)
    attested = EVENT.attested(attestation(outcome))
    place = settled(settlements, attested)
    settlement, theirs = settlements[place], opened(settlements[place], adaptors[place], attested)
    ours = sign_ecdsa(MINER, settlement.digest)
    final = deal.complete(settlement.transaction, {"miner": ours, "buyer": theirs})
    assert failed_input(final, deal.funding.outputs) is None
    step = next(step for step in PAYOUTS if step.first <= outcome <= step.last)
    paid = sum(output.amount_sat for output in final.outputs if output.script.endswith(bytes([1]) * 20))
    assert paid == step.miner_sat
    fee_sat = deal.funding.outputs[0].amount_sat - sum(output.amount_sat for output in final.outputs)
    assert fee_sat >= TERMS.fee_rate_sat_vb * final.vsize_vb
    assert final.lock_time == TERMS.settle_height


def test_nothing_but_the_attested_settlement_opens(deal, settlements, adaptors):
    attested = EVENT.attested(attestation(120_000))
    right = settlements[settled(settlements, attested)]
    every = len(settlements) // 9
    others = [pair for pair in zip(settlements, adaptors, strict=True) if pair[0].miner_sat != right.miner_sat][::every]
    for settlement, adaptor in others:
        stolen = opened(right, adaptor, attested)
        ours = sign_ecdsa(MINER, settlement.digest)
        with denied("forward.bad-signature"):
            deal.complete(settlement.transaction, {"miner": ours, "buyer": stolen})


def test_the_refund_gives_everybody_his_own_back_after_the_deadline(deal):
    refund = deal.refund
    assert refund.lock_time == TERMS.refund_height
    assert [output.amount_sat for output in refund.outputs] == [600_000, 600_000]
    digest = deal.digest(refund)
    keys = {"miner": sign_ecdsa(MINER, digest), "buyer": sign_ecdsa(BUYER, digest)}
    final = deal.complete(refund, keys)
    assert failed_input(final, deal.funding.outputs) is None
    with denied("forward.bad-signature"):
        deal.complete(refund, {"miner": keys["miner"]})


def test_promises_that_could_not_be_kept_are_found_before_anything_is_paid_in(settlements, adaptors):
    key = public_key_of(BUYER)
    with denied("forward.bad-adaptor"):
        check_adaptors(settlements, key, adaptors[:-1])
    with denied("forward.bad-adaptor"):
        check_adaptors(settlements, key, [*adaptors[1:], adaptors[0]])
    with denied("forward.bad-adaptor"):
        check_adaptors(settlements, public_key_of(MINER), adaptors)
    with denied("forward.bad-adaptor"):
        check_adaptors(settlements[:1], key, [b"garbage"])
    bent = bytearray(adaptors[3])
    bent[100] ^= 1
    with denied("forward.bad-adaptor"):
        check_adaptors(settlements[3:4], key, [bytes(bent)])


def test_an_oracle_is_measured_by_the_chain_itself():
    bits = 0x17034219  # a real one: difficulty about 8.6e13
    honest = outcome_of(bits, TERMS)
    assert honest == int(0xFFFF * 2**208 / (0x034219 * 2 ** (8 * (0x17 - 3)))) // 10**9
    check_outcome(TERMS, EVENT.attested(attestation(honest)), bits)
    with denied("forward.oracle-lies"):
        check_outcome(TERMS, EVENT.attested(attestation(honest + 1)), bits)
    assert outcome_of(0x04000001, TERMS) == 2**18 - 1
    with pytest.raises(BitcoinMalformed):
        outcome_of(0, TERMS)


def test_only_the_named_oracle_and_its_own_event_count():
    for other in (event_of(key=ORACLE + 1), event_of(signed=True)):
        with pytest.raises(BitcoinMalformed):
            NumberEvent.parse(other.serialize(), TERMS.oracle_key)
    enumerated = announced(EnumEventDescriptor(outcomes=("up", "down")), NONCES[:1], ORACLE, "x")
    with pytest.raises(BitcoinMalformed):
        NumberEvent.parse(enumerated.serialize(), TERMS.oracle_key)
    with pytest.raises(BitcoinMalformed):
        NumberEvent.parse(b"garbage", TERMS.oracle_key)
    with pytest.raises(BitcoinMalformed):
        EVENT.attested(attestation(5)[:-1])
    stranger = NumberEvent.parse(event_of(event_id="other").serialize(), TERMS.oracle_key)
    with pytest.raises(BitcoinMalformed):
        stranger.attested(attestation(5))
    for length in (0, 19):
        with pytest.raises(BitcoinMalformed):
            EVENT.point((0,) * length)


def test_another_event_settles_nothing(deal):
    other = NumberEvent.parse(event_of(event_id="other").serialize(), TERMS.oracle_key)
    with denied("forward.oracle"):
        _ = replace(deal, event=other).settlements


def test_a_curve_has_no_more_steps_than_can_be_signed():
    with denied("forward.terms"):
        steps(HEDGE, unit=10**9, outcomes=2**18, rounding_sat=1)
    coarse = steps(HEDGE, unit=10**9, outcomes=2**18, rounding_sat=1_000)
    assert 2 <= len(coarse) <= MAX_STEPS


def test_both_stakes_make_the_funding_and_no_satoshi_more(deal):
    digests = {"miner": sign_ecdsa(MINER, deal.funding_digest("miner"))}
    buyer = sign_ecdsa(BUYER, deal.funding_digest("buyer"))
    final = deal.funded(digests["miner"], buyer)
    assert failed_input(final, deal.stakes) is None
    assert final.txid == deal.funding.txid
    fee_sat = stake_sat(TERMS, "miner") + stake_sat(TERMS, "buyer") - final.output_sat
    assert TERMS.fee_rate_sat_vb * final.vsize_vb <= fee_sat <= TERMS.fee_rate_sat_vb * (final.vsize_vb + 3)
    with denied("forward.bad-signature"):
        deal.funded(buyer, buyer)


def test_a_stake_that_was_not_used_comes_back(deal):
    final = deal.taken_back("buyer", sign_ecdsa(BUYER, deal.way_back_digest("buyer")))
    assert failed_input(final, deal.stakes[1:]) is None
    assert [output.script[2:] for output in final.outputs] == [bytes([2]) * 20]
    with denied("forward.bad-signature"):
        deal.taken_back("miner", sign_ecdsa(BUYER, deal.way_back_digest("miner")))


def test_the_refund_never_overtakes_the_oracle():
    month = MATURITY_S - 30 * 86_400
    check_refund(TERMS, MATURITY_S, TERMS.settle_height - 4_320, month)
    with denied("forward.refund-lock"):
        check_refund(msgspec.structs.replace(TERMS, refund_height=821_519), MATURITY_S, 816_000, month)
    with denied("forward.refund-lock"):
        check_refund(TERMS, MATURITY_S + 14 * 86_400, TERMS.settle_height - 4_320, month)


def test_an_announcement_is_of_the_oracle_and_its_event():
    checked_announcement(TERMS, event_of().serialize())
    for other in (event_of(key=ORACLE + 1), event_of(event_id="other"), event_of(nb_digits=17)):
        with denied("forward.oracle"):
            checked_announcement(TERMS, other.serialize())


def test_amounts_are_bound():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(TERMS, unit=0)), type(TERMS))
