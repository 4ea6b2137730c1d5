#!/usr/bin/env python3
"""Checks a claim about metered energy, with nothing but Python: copy this file anywhere, trust no part of the suite.

    python3 verifier.py claim.json --key <public key of the meter's node, hex> [--nonce <the nonce that you gave>]

What a sound claim proves: the named node signed one commitment for every slot without a gap, and the energy in them
keeps the stated bound, though nobody learns the energy of any slot. What it does not prove: that the meter is honest,
that the site has no other meter, or that each single slot is positive; a party that holds the node's key could sign
a negative slot.

Curve and signatures: SEC 2 secp256k1, RFC 8032 Ed25519. Range proof: Maxwell and Poelstra's Borromean rings, in the
form of libsecp256k1-zkp's rangeproof module, 26 rings of 4 keys, so values below 2^52.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
G = (
    0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
    0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
)
RINGS, KEYS = 26, 4
HEADER = bytes([0x40, 2 * RINGS - 1])  # blinded, exponent 0, no minimum, 52 bits
SIGN_BYTES = (RINGS + 6) // 8
PROOF_BYTES = len(HEADER) + SIGN_BYTES + 32 * (RINGS - 1) + 32 + 32 * RINGS * KEYS
GENESIS = bytes(32)
KINDS = ("at-most", "at-least", "exactly")

Point = tuple[int, int] | None
Edwards = tuple[int, int, int, int]


class Refused(Exception):
    """The claim does not hold, or is not one; the text says where."""


# secp256k1


def add(a: Point, b: Point) -> Point:
    """The sum of two points; None is the point at infinity."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    rise, run = (3 * a[0] * a[0], 2 * a[1]) if a == b else (b[1] - a[1], b[0] - a[0])
    slope = rise * pow(run, -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def negated(a: Point) -> Point:
    return None if a is None else (a[0], P - a[1])


def _double(a: tuple[int, int, int]) -> tuple[int, int, int]:
    """Of a point in Jacobian coordinates."""
    x, y, z = a
    s = 4 * x * y * y % P
    m = 3 * x * x % P
    x2 = (m * m - 2 * s) % P
    return x2, (m * (s - x2) - 8 * pow(y, 4, P)) % P, 2 * y * z % P


def _plus(a: tuple[int, int, int], b: tuple[int, int]) -> tuple[int, int, int]:
    """A point in Jacobian coordinates plus an affine one."""
    x, y, z = a
    if z == 0:
        return b[0], b[1], 1
    zz = z * z % P
    h, r = (b[0] * zz - x) % P, (b[1] * zz * z - y) % P
    if h == 0:
        return _double(a) if r == 0 else (1, 1, 0)
    hh = h * h % P
    hhh, v = h * hh % P, x * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y * hhh) % P, z * h % P


def combined(a_times: int, a: Point, g_times: int) -> Point:
    """a_times * a + g_times * G, both bit by bit at once."""
    table = (None, a, G, add(a, G))
    total = (1, 1, 0)
    for bit in range(255, -1, -1):
        total = _double(total)
        chosen = table[(a_times >> bit & 1) | (g_times >> bit & 1) << 1]
        if chosen is not None:
            total = _plus(total, chosen)
    if total[2] == 0:
        return None
    inverse = pow(total[2], -1, P)
    return total[0] * inverse**2 % P, total[1] * inverse**3 % P


def is_square(y: int) -> bool:
    return pow(y, (P - 1) // 2, P) == 1


def point(x: int, square: bool) -> Point:
    """The point with that x whose y is, or is not, a square."""
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if not 0 < x < P or (y * y - x**3 - 7) % P:
        raise Refused("a point is not on the curve")
    return x, y if is_square(y) == square else P - y


def tagged(a: Point, first: int) -> bytes:
    """33 bytes: `first`, plus one where y is no square, and x."""
    if a is None:
        raise Refused("a sum of points is nothing")
    return bytes([first + (not is_square(a[1]))]) + a[0].to_bytes(32, "big")


def commitment(raw: bytes) -> Point:
    """A Pedersen commitment as it travels: 08 or 09, then x."""
    if len(raw) != 33 or raw[0] not in (8, 9):
        raise Refused("a commitment is not 33 bytes that begin with 08 or 09")
    return point(int.from_bytes(raw[1:], "big"), raw[0] == 8)


def generator(unit: str) -> Point:
    """The value's generator: the first x in SHA-256(unit), SHA-256(that), ... on the curve, so nobody knows its
    logarithm.
    """
    seed = hashlib.sha256(unit.encode()).digest()
    while True:
        try:
            return point(int.from_bytes(seed, "big"), True)
        except Refused:
            seed = hashlib.sha256(seed).digest()


# The range proof


def range_holds(proof: bytes, committed: Point, value: Point, statement: bytes) -> bool:
    """Does `proof` show that `committed` hides a value from 0 to 2^52 - 1 under generator `value`, for `statement`?"""
    if len(proof) != PROOF_BYTES or proof[:2] != HEADER:
        raise Refused(f"the range proof is not {PROOF_BYTES} bytes for 52 bits without minimum and exponent")
    signs, proof = proof[2 : 2 + SIGN_BYTES], proof[2 + SIGN_BYTES :]
    if int.from_bytes(signs, "little") >> (RINGS - 1):
        raise Refused("the range proof has signs of rings that do not exist")
    firsts: list[Point] = []
    message = hashlib.sha256(tagged(committed, 0) + tagged(value, 0) + HEADER)
    for ring in range(RINGS - 1):
        x = proof[32 * ring : 32 * ring + 32]
        sign = signs[ring // 8] >> ring % 8 & 1
        message.update(bytes([sign]) + x)
        firsts.append(point(int.from_bytes(x, "big"), not sign))
    message.update(statement)
    rest = committed
    for first in firsts:
        rest = add(rest, negated(first))
    return _rings_close(proof[32 * (RINGS - 1) :], [*firsts, rest], value, message.digest())


def _rings_close(signature: bytes, firsts: list[Point], value: Point, message: bytes) -> bool:
    start = signature[:32]
    responses = [int.from_bytes(signature[at : at + 32], "big") for at in range(32, len(signature), 32)]
    ends, step = hashlib.sha256(), negated(value)
    for ring, first in enumerate(firsts):
        key, challenge = first, _challenge(start, message, ring, 0)
        for position in range(KEYS):
            response = responses[ring * KEYS + position]
            if key is None or not 0 < response < N or not 0 < challenge < N:
                return False
            found = combined(challenge, key, response)
            if found is None:
                return False
            sec = bytes([2 + found[1] % 2]) + found[0].to_bytes(32, "big")
            challenge = _challenge(sec, message, ring, position + 1)
            key = add(key, step)
        ends.update(sec)
        step = add(add(step, step), add(step, step))
    ends.update(message)
    return ends.digest() == start


def _challenge(before: bytes, message: bytes, ring: int, position: int) -> int:
    place = ring.to_bytes(4, "big") + position.to_bytes(4, "big")
    return int.from_bytes(hashlib.sha256(before + message + place).digest(), "big")


# Ed25519

Q = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
ROOT = pow(2, (Q - 1) // 4, Q)  # of -1
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE_Y = 4 * pow(5, -1, Q) % Q
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % Q)


def ed25519_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(key) != 32 or len(signature) != 64:
        return False
    owner, commitment_r, s = _ed_point(key), _ed_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if owner is None or commitment_r is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = _ed_times(s, BASE), _ed_sum(commitment_r, _ed_times(h, owner))
    return all((left[at] * right[2] - right[at] * left[2]) % Q == 0 for at in (0, 1))


def _ed_point(raw: bytes) -> Edwards | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= Q:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(xx, (Q + 3) // 8, Q)
    if (x * x - xx) % Q:
        x = x * ROOT % Q
    if (x * x - xx) % Q or (x == 0 and sign):
        return None
    if x % 2 != sign:
        x = Q - x
    return x, y, 1, x * y % Q


def _ed_sum(a: Edwards, b: Edwards) -> Edwards:
    first, second = (a[1] - a[0]) * (b[1] - b[0]) % Q, (a[1] + a[0]) * (b[1] + b[0]) % Q
    third, fourth = 2 * a[3] * b[3] * D % Q, 2 * a[2] * b[2] % Q
    e, f, g, h = second - first, fourth - third, fourth + third, second + first
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def _ed_times(times: int, a: Edwards) -> Edwards:
    total = (0, 1, 1, 0)
    while times:
        if times & 1:
            total = _ed_sum(total, a)
        a, times = _ed_sum(a, a), times >> 1
    return total


# The claim


def statement_bytes(statement: dict[str, Any]) -> bytes:
    """What signatures and the proof are bound to: JSON, sorted, without spaces."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def checked_slots(claim: dict[str, Any], key: bytes) -> Point:
    """The sum of the commitments, once each slot stands, is signed, and follows the one before it."""
    statement, previous = claim["statement"], None
    total: Point = None
    first, last = statement["first_slot"], statement["last_slot"]
    if [slot["slot"] for slot in claim["slots"]] != list(range(first, last + 1)):
        raise Refused(f"the slots are not {first} to {last}, each once and in order")
    for slot in claim["slots"]:
        signed = {name: slot[name] for name in ("slot", "commitment", "previous")}
        signed |= {name: statement[name] for name in ("site", "meter", "interval_s", "unit")}
        body = b"bes/energy/v1\x00" + statement_bytes(signed)
        if not ed25519_holds(key, body, bytes.fromhex(slot["signature"])):
            raise Refused(f"slot {slot['slot']} is not signed by the node's key")
        if previous is not None and slot["previous"] != previous:
            raise Refused(f"slot {slot['slot']} does not follow the one before it")
        previous = hashlib.sha256(body).hexdigest()
        total = add(total, commitment(bytes.fromhex(slot["commitment"])))
    return total


def check(claim: dict[str, Any], key: bytes, nonce: str | None = None) -> str:
    """The sentence that is proven. Refused where it is not."""
    statement = claim["statement"]
    kind, bound = statement["kind"], statement["bound"]
    if kind not in KINDS or not isinstance(bound, int) or not 0 <= bound < 2 ** (2 * RINGS):
        raise Refused(f"a claim is one of {', '.join(KINDS)} a whole number below 2^52")
    if nonce is not None and statement["nonce"] != nonce:
        raise Refused("the claim answers another nonce")
    value = generator(statement["unit"])
    total, limit = checked_slots(claim, key), combined(bound, value, 0)
    if kind == "exactly":
        blinding = int(claim["blinding"], 16)
        if not 0 <= blinding < N or combined(bound, value, blinding) != total:
            raise Refused("the total and its blinding do not open the sum of the commitments")
    else:
        hidden = add(limit, negated(total)) if kind == "at-most" else add(total, negated(limit))
        proof = bytes.fromhex(claim["proof"])
        if not range_holds(proof, hidden, value, statement_bytes(statement)):
            raise Refused("the range proof does not fit the commitments and the statement")
    words = {"at-most": "at most", "at-least": "at least", "exactly": "exactly"}[kind]
    slots = f"slots {statement['first_slot']} to {statement['last_slot']} of {statement['interval_s']} s"
    return f"{statement['meter']} at {statement['site']}: {words} {bound:,} {statement['unit']} in {slots}"


def main() -> int:
    """Exit code 0: proven; 1: not proven; 2: no claim."""
    parser = argparse.ArgumentParser(description="Checks a claim about metered energy.")
    parser.add_argument("claim", help="the claim's JSON file")
    parser.add_argument("--key", required=True, help="public key of the meter's node, 64 hex digits")
    parser.add_argument("--nonce", help="the nonce that you gave; the claim has to answer it")
    asked = parser.parse_args()
    try:
        claim = json.loads(Path(asked.claim).read_text(encoding="utf-8"))
        proven = check(claim, bytes.fromhex(asked.key), asked.nonce)
    except Refused as reason:
        print(f"NOT PROVEN: {reason}")
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"This is no claim: {type(error).__name__}: {error}")
        return 2
    print(f"PROVEN: {proven}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
