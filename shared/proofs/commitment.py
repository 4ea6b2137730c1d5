"""Pedersen commitments C = v*H + r*G: they hide v, bind to it, and add up as their values do.

H is found by hashing the name of the unit, so that nobody knows its logarithm (`verifier.generator`). Sums are made
by the verifier's own code, values are hidden by libsecp256k1-zkp through wallycore; they have to agree.
"""

import secrets
from functools import cache

import wallycore

from shared.errors import BitcoinMalformed
from shared.proofs import verifier

ORDER = verifier.N
HIGHEST = 2**52 - 1  # what the range proof covers
_BITS = 52


@cache
def generator(unit: str) -> bytes:
    """33 bytes: 0a and the x of the unit's generator, whose y is a square."""
    return verifier.tagged(verifier.generator(unit), 10)


def commit(value: int, blinding: int, unit: str) -> bytes:
    """33 bytes. BitcoinMalformed where the value is not from 0 to 2^52 - 1."""
    if not 0 <= value <= HIGHEST:
        raise BitcoinMalformed(f"{value} cannot be committed: it is not from 0 to {HIGHEST}")
    return bytes(wallycore.asset_value_commitment(value, blinding.to_bytes(32, "big"), generator(unit)))


def fresh_blinding() -> int:
    """From 1 to the order less 1, never used before: of two values under one blinding the difference is open."""
    return secrets.randbelow(ORDER - 1) + 1


def range_proof(value: int, blinding: int, unit: str, nonce: bytes, statement: bytes) -> bytes:
    """That the commitment hides a value from 0 to 2^52 - 1, bound to `statement`. The holder of `nonce` reads value and
    blinding out of the proof: 32 fresh secret bytes.
    """
    hidden = commit(value, blinding, unit)
    return bytes(
        wallycore.asset_rangeproof_with_nonce(
            value,
            nonce,
            bytes(32),
            bytes(32),
            blinding.to_bytes(32, "big"),
            hidden,
            statement,
            generator(unit),
            0,
            0,
            _BITS,
        )
    )
