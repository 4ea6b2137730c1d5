"""A forward over 18 binary digits with an oracle whose secrets are known, and both sides' keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pytest
from btclib_wallet.dlc import (
    DigitDecompositionEventDescriptor,
    OracleEvent,
    sign_announcement,
    sign_attestation,
)

from shared.bitcoin.address import address_of
from shared.bitcoin.dlc import NumberEvent, encrypt
from shared.bitcoin.network import Network
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import OutPoint
from shared.errors import Denied
from shared.forward.digits import digits
from shared.forward.settlement import Deal
from shared.wire.forward import ForwardTerms, Hedge

ORACLE = 0x0F1E2D3C
NONCES = tuple(1_000 + number for number in range(19))
MINER, BUYER = b"\x01" * 32, b"\x02" * 32
MATURITY_S = 1_800_000_000
HEDGE = Hedge(  # one petahash per second for a month, at an agreed 1,500,000 sat
    hashrate_ghs=1_000_000,
    duration_s=30 * 86_400,
    reward_sat=312_500_000,
    price_sat=1_500_000,
    miner_collateral_sat=600_000,
    buyer_collateral_sat=600_000,
)
MINER_SCRIPT, BUYER_SCRIPT = b"\x00\x14" + bytes([1]) * 20, b"\x00\x14" + bytes([2]) * 20
TERMS = ForwardTerms(
    network="regtest",
    miner_key=public_key_of(MINER),
    buyer_key=public_key_of(BUYER),
    hedge=HEDGE,
    oracle_key=public_key_of(ORACLE.to_bytes(32, "big"))[1:],
    event_id="difficulty-820512",
    unit=10**9,
    base=2,
    nb_digits=18,
    rounding_sat=20_000,
    settle_height=820_512,
    refund_height=822_000,
    miner_address=str(address_of(MINER_SCRIPT, Network.REGTEST)),
    buyer_address=str(address_of(BUYER_SCRIPT, Network.REGTEST)),
    fee_rate_sat_vb=5,
)


def event_of(base=2, nb_digits=18, *, key=ORACLE, signed=False, event_id=TERMS.event_id, nonces=NONCES):
    descriptor = DigitDecompositionEventDescriptor(
        base=base, is_signed=signed, unit="difficulty/1e9", precision=0, nb_digits=nb_digits
    )
    return announced(descriptor, nonces[: nb_digits + signed], key, event_id)


def announced(descriptor, nonces, key, event_id):
    points = tuple(public_key_of(nonce.to_bytes(32, "big"))[1:] for nonce in nonces)
    event = OracleEvent(nonces=points, maturity_epoch=MATURITY_S, descriptor=descriptor, event_id=event_id)
    return sign_announcement(event, key)


ANNOUNCED = event_of()
EVENT = NumberEvent.parse(ANNOUNCED.serialize(), TERMS.oracle_key)


def attestation(outcome):
    told = tuple(str(digit) for digit in digits(outcome, base=2, nb_digits=18))
    return sign_attestation(ANNOUNCED, told, ORACLE, NONCES[:18]).serialize()


@lru_cache
def the_deal() -> Deal:
    return Deal(TERMS, OutPoint("ab" * 32, 1), OutPoint("cd" * 32, 0), EVENT)


@lru_cache
def promises(secret: bytes) -> tuple[bytes, ...]:
    return tuple(encrypt(secret, one.digest, one.point) for one in the_deal().settlements)


@contextmanager
def denied(rule: str) -> Iterator[None]:
    with pytest.raises(Denied) as found:
        yield
    assert found.value.rule == rule, found.value.detail
