"""A forward from the handshake to the chain: every outcome enforceable before anybody pays, one of them in the end."""

from itertools import pairwise

import msgspec
import pytest
from btclib_wallet.dlc import (
    DigitDecompositionEventDescriptor,
    EnumEventDescriptor,
    OracleEvent,
    sign_announcement,
    sign_attestation,
)
from hypothesis import given
from hypothesis import strategies as st

from controller.contracts.forward.curve import MAX_STEPS, Hedge, steps
from controller.contracts.forward.digits import digits
from controller.contracts.forward.settlement import Deal, check_adaptors, check_outcome, opened, outcome_of
from controller.contracts.route import routes
from controller.contracts.sentence import sentences
from controller.contracts.template.forward import HashrateForward
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.dlc import NumberEvent, encrypt
from shared.bitcoin.network import Network
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, TxOut
from shared.errors import BitcoinMalformed
from tests.controller.contracts.scene import agreement, denied, destination, party, secret, static_key

ORACLE = 0x0F1E2D3C
NONCES = tuple(1_000 + number for number in range(18))
MINER, BUYER = secret(0), secret(1)
HEDGE = Hedge(  # one petahash per second for a month, at an agreed 1,500,000 sat
    hashrate_ghs=1_000_000,
    duration_s=30 * 86_400,
    reward_sat=312_500_000,
    price_sat=1_500_000,
    miner_collateral_sat=600_000,
    buyer_collateral_sat=600_000,
)
FORWARD = HashrateForward(
    miner="Anna",
    buyer="Ben",
    hedge=HEDGE,
    oracle_key=public_key_of(ORACLE.to_bytes(32, "big"))[1:],
    event_id="difficulty-820512",
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


def event_of(base=2, nb_digits=18, *, key=ORACLE, signed=False, event_id=FORWARD.event_id):
    count = nb_digits + signed
    descriptor = DigitDecompositionEventDescriptor(
        base=base, is_signed=signed, unit="difficulty/1e9", precision=0, nb_digits=nb_digits
    )
    return _announced(descriptor, NONCES[:count] if count <= 18 else (*NONCES, 999), key, event_id)


def _announced(descriptor, nonces, key, event_id):
    points = tuple(public_key_of(nonce.to_bytes(32, "big"))[1:] for nonce in nonces)
    event = OracleEvent(nonces=points, maturity_epoch=1_800_000_000, descriptor=descriptor, event_id=event_id)
    return sign_announcement(event, key)


ANNOUNCED = event_of()
EVENT = NumberEvent.parse(ANNOUNCED.serialize(), FORWARD.oracle_key)


def attestation(outcome):
    told = tuple(str(digit) for digit in digits(outcome, base=2, nb_digits=18))
    return sign_attestation(ANNOUNCED, told, ORACLE, NONCES).serialize()


@pytest.fixture(scope="module")
def deal():
    compiled = FORWARD.compile(PARTIES)
    derived = Descriptor.parse(compiled.terms.descriptor, Network.REGTEST).derive(0, 0)
    return Deal(FORWARD, Network.REGTEST, derived, OutPoint("ab" * 32, 1), EVENT)


@pytest.fixture(scope="module")
def settlements(deal):
    return deal.settlements()


@pytest.fixture(scope="module")
def adaptors(settlements):
    """The buyer's promises to the miner."""
    return [encrypt(BUYER, settlement.digest, settlement.point) for settlement in settlements]


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
    found = FORWARD.payouts()
    assert found[0].miner_sat == 0
    for before, after in pairwise(found):
        assert before.last + 1 == after.first
        assert before.miner_sat < after.miner_sat
    for step in found:
        for outcome in (step.first, step.last):
            exact = HEDGE.miner_sat(outcome * FORWARD.unit)
            assert abs(step.miner_sat - exact) <= FORWARD.rounding_sat // 2


@given(st.integers(1, 2**18 - 1))
def test_what_one_side_gains_the_other_loses(outcome):
    miner_sat = HEDGE.miner_sat(outcome * FORWARD.unit)
    earned = HEDGE.earned_sat(outcome * FORWARD.unit)
    assert 0 <= miner_sat <= HEDGE.total_sat
    if 0 < miner_sat < HEDGE.total_sat:
        assert miner_sat + earned == HEDGE.miner_collateral_sat + HEDGE.price_sat


@pytest.mark.parametrize("outcome", [0, 1, 91_000, 120_000, 131_071, 150_000, 2**18 - 1])
def test_what_the_oracle_says_is_what_is_paid_by_consensus(deal, settlements, adaptors, outcome):
    check_adaptors(settlements, public_key_of(BUYER), adaptors)
    attested = EVENT.attested(attestation(outcome))
    settlement, theirs = opened(settlements, adaptors, attested)
    ours = sign_ecdsa(MINER, settlement.digest)
    final = deal.complete(settlement.transaction, {public_key_of(MINER): ours, public_key_of(BUYER): theirs})
    assert failed_input(final, [TxOut(deal.funding_sat, deal.derived.script)]) is None
    step = next(step for step in FORWARD.payouts() if step.first <= outcome <= step.last)
    paid = sum(output.amount_sat for output in final.outputs if output.script.endswith(bytes([1]) * 20))
    assert paid == step.miner_sat
    fee_sat = deal.funding_sat - sum(output.amount_sat for output in final.outputs)
    assert fee_sat >= FORWARD.fee_rate_sat_vb * final.vsize_vb
    assert final.lock_time == FORWARD.settle_height


def test_nothing_but_the_attested_settlement_opens(deal, settlements, adaptors):
    attested = EVENT.attested(attestation(120_000))
    right, _ = opened(settlements, adaptors, attested)
    every = len(settlements) // 9
    others = [pair for pair in zip(settlements, adaptors, strict=True) if pair[0].miner_sat != right.miner_sat][::every]
    for settlement, adaptor in others:
        _, stolen = opened([right], [adaptor], attested)
        ours = sign_ecdsa(MINER, settlement.digest)
        with denied("forward.bad-signature"):
            deal.complete(settlement.transaction, {public_key_of(MINER): ours, public_key_of(BUYER): stolen})


def test_the_refund_gives_everybody_his_own_back_after_the_deadline(deal):
    refund = deal.refund()
    assert refund.lock_time == FORWARD.refund_height
    assert [output.amount_sat for output in refund.outputs] == [600_000, 600_000]
    digest = deal.digest(refund)
    keys = {public_key_of(one): sign_ecdsa(one, digest) for one in (MINER, BUYER)}
    final = deal.complete(refund, keys)
    assert failed_input(final, [TxOut(deal.funding_sat, deal.derived.script)]) is None
    with denied("forward.bad-signature"):
        deal.complete(refund, {public_key_of(MINER): keys[public_key_of(MINER)]})


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
    honest = outcome_of(bits, FORWARD)
    assert honest == int(0xFFFF * 2**208 / (0x034219 * 2 ** (8 * (0x17 - 3)))) // 10**9
    check_outcome(FORWARD, EVENT.attested(attestation(honest)), bits)
    with denied("forward.oracle-lies"):
        check_outcome(FORWARD, EVENT.attested(attestation(honest + 1)), bits)
    assert outcome_of(0x04000001, FORWARD) == 2**18 - 1
    with pytest.raises(BitcoinMalformed):
        outcome_of(0, FORWARD)


def test_only_the_named_oracle_and_its_own_event_count():
    for other in (event_of(key=ORACLE + 1), event_of(signed=True)):
        with pytest.raises(BitcoinMalformed):
            NumberEvent.parse(other.serialize(), FORWARD.oracle_key)
    enumerated = _announced(EnumEventDescriptor(outcomes=("up", "down")), NONCES[:1], ORACLE, "x")
    with pytest.raises(BitcoinMalformed):
        NumberEvent.parse(enumerated.serialize(), FORWARD.oracle_key)
    with pytest.raises(BitcoinMalformed):
        NumberEvent.parse(b"garbage", FORWARD.oracle_key)
    with pytest.raises(BitcoinMalformed):
        EVENT.attested(attestation(5)[:-1])
    stranger = NumberEvent.parse(event_of(event_id="other").serialize(), FORWARD.oracle_key)
    with pytest.raises(BitcoinMalformed):
        stranger.attested(attestation(5))
    for length in (0, 19):
        with pytest.raises(BitcoinMalformed):
            EVENT.point((0,) * length)


def test_another_event_settles_nothing(deal):
    other = NumberEvent.parse(event_of(event_id="other").serialize(), FORWARD.oracle_key)
    with denied("template.bad-oracle"):
        Deal(FORWARD, Network.REGTEST, deal.derived, deal.funding, other).settlements()


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


def test_a_curve_has_no_more_steps_than_can_be_signed():
    coarse = steps(HEDGE, unit=10**9, outcomes=2**18, rounding_sat=1_000)
    assert 2 <= len(coarse) <= MAX_STEPS
