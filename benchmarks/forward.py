"""How long a hash-rate forward of about a thousand settlements takes each side, by the product's own path.

Derived from the terms, promised as the box's keystore does (signed, encrypted, verified again), checked by the other
side, and one of them opened by the oracle's word. Beside it, in the same run: as many plain ECDSA signatures made and
verified.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from agent.signer.keystore.software_key import Promise
from benchmarks.options import Options
from hardware_sims.oracle import DifficultyOracle, Question
from shared.bitcoin.address import address_of
from shared.bitcoin.dlc import NumberEvent, encrypt, verify_encrypted
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of, sign_ecdsa, verify_ecdsa
from shared.bitcoin.transaction import OutPoint
from shared.forward.promise import check_adaptors, opened, settled
from shared.forward.settlement import Deal
from shared.wire.forward import ForwardTerms, Hedge

NAME = "forward"
SETTINGS = ("rounding_sat",)
ROUNDING_SAT = 10_000
QUICK_ROUNDING_SAT = 100_000
OUTCOME = 120_000
MINER, BUYER = b"\x01" * 32, b"\x02" * 32

T = TypeVar("T")


def run(options: Options) -> dict[str, object]:
    rounding_sat = options.number("rounding_sat", ROUNDING_SAT, QUICK_ROUNDING_SAT, least=1)
    oracle = DifficultyOracle(b"\x0a" * 32)
    question = Question(height=820_512, unit=10**9, base=2, nb_digits=18, maturity_s=1_800_000_000)
    terms = _terms(oracle.public_key, question, rounding_sat)
    event = NumberEvent.parse(oracle.announce(question), oracle.public_key)
    deal = Deal(terms, OutPoint("ab" * 32, 0), OutPoint("cd" * 32, 0), event)
    derive_s, settlements = _timed(lambda: deal.settlements)
    asked = [Promise(one.digest, one.point) for one in settlements]
    promise_s, adaptors = _timed(lambda: _promised(asked))
    check_s, _ = _timed(lambda: check_adaptors(settlements, terms.buyer_key, adaptors))
    attested = event.attested(oracle.attest(question, OUTCOME))
    place = settled(settlements, attested)
    open_s, signature = _timed(lambda: opened(settlements[place], adaptors[place], attested))
    assert verify_ecdsa(terms.buyer_key, settlements[place].digest, signature)
    plain_s, good = _timed(lambda: all(_plain(one.digest) for one in settlements))
    assert good
    return {
        "settlements": len(settlements),
        "derive_s": round(derive_s, 3),
        "promise_s": round(promise_s, 3),
        "check_s": round(check_s, 3),
        "open_ms": round(open_s * 1_000, 2),
        "plain_sign_and_verify_s": round(plain_s, 3),
        "document_bytes": sum(map(len, adaptors)),
    }


def _promised(asked: list[Promise]) -> list[bytes]:
    """As `SoftwareKeys.promise`, without the token that unwraps the key once."""
    made = [encrypt(BUYER, digest, point) for digest, point in asked]
    key = public_key_of(BUYER)
    assert all(verify_encrypted(key, *one, adaptor) for one, adaptor in zip(asked, made, strict=True))
    return made


def _plain(digest: bytes) -> bool:
    return verify_ecdsa(public_key_of(BUYER), digest, sign_ecdsa(BUYER, digest))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started_s = time.perf_counter()
    result = work()
    return time.perf_counter() - started_s, result


def _terms(oracle_key: bytes, question: Question, rounding_sat: int) -> ForwardTerms:
    """One petahash per second for a month, at an agreed 1,500,000 sat."""
    hedge = Hedge(
        hashrate_ghs=1_000_000,
        duration_s=30 * 86_400,
        reward_sat=312_500_000,
        price_sat=1_500_000,
        miner_collateral_sat=600_000,
        buyer_collateral_sat=600_000,
    )
    keys = public_key_of(MINER), public_key_of(BUYER)
    addresses = [str(address_of(p2wpkh(key), Network.REGTEST)) for key in keys]
    return ForwardTerms(
        network="regtest",
        miner_key=keys[0],
        buyer_key=keys[1],
        hedge=hedge,
        oracle_key=oracle_key,
        event_id=question.event_id,
        unit=question.unit,
        base=question.base,
        nb_digits=question.nb_digits,
        rounding_sat=rounding_sat,
        settle_height=question.height,
        refund_height=question.height + 1_500,
        miner_address=addresses[0],
        buyer_address=addresses[1],
        fee_rate_sat_vb=5,
    )
