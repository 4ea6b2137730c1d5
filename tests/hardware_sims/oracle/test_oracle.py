"""The simulated oracle, read by the product's own eyes."""

import pytest

from hardware_sims.oracle import DifficultyOracle, Question
from shared.bitcoin.dlc import NumberEvent
from shared.forward.oracle import outcome_of
from tests.shared.forward.scene import TERMS

QUESTION = Question(height=820_512, unit=10**9, base=2, nb_digits=18, maturity_s=1_800_000_000)
HEADER = bytes(72) + (0x17034219).to_bytes(4, "little") + bytes(4)


def test_its_word_is_the_chains_difficulty_digit_by_digit():
    oracle = DifficultyOracle(b"\x0a" * 32)
    event = NumberEvent.parse(oracle.announce(QUESTION), oracle.public_key)
    number = QUESTION.answer(HEADER)
    assert number == outcome_of(0x17034219, TERMS)
    attested = event.attested(oracle.attest(QUESTION, number))
    assert int("".join(map(str, attested.digits)), 2) == number
    assert event.event_id == TERMS.event_id


def test_it_never_tells_two_numbers_under_one_nonce():
    oracle = DifficultyOracle(b"\x0a" * 32)
    again = DifficultyOracle(b"\x0a" * 32)
    nonces = {NumberEvent.parse(one.announce(QUESTION), one.public_key).nonces for one in (oracle, again)}
    assert len(nonces) == 1
    first = oracle.attest(QUESTION, 5)
    assert oracle.attest(QUESTION, 5)
    assert first
    with pytest.raises(ValueError, match="give the key away"):
        oracle.attest(QUESTION, 6)
