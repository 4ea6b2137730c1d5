import csv
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.signature import (
    ORDER,
    low_s,
    public_key_of,
    sign_ecdsa,
    sign_schnorr,
    verify_ecdsa,
    verify_schnorr,
)
from shared.errors import BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"
with (VECTORS / "bip340.csv").open() as file:
    BIP340 = list(csv.DictReader(file))
WYCHEPROOF = json.loads((VECTORS / "wycheproof_ecdsa.json").read_text())

secrets = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("case", [c for c in BIP340 if len(c["message"]) == 64], ids=lambda c: c["index"])
def test_bip_340(case):
    key, message, signature = (bytes.fromhex(case[name]) for name in ("public key", "message", "signature"))
    assert verify_schnorr(key, message, signature) is (case["verification result"] == "TRUE")
    if case["secret key"]:
        secret, aux = bytes.fromhex(case["secret key"]), bytes.fromhex(case["aux_rand"])
        assert public_key_of(secret)[1:] == key
        assert sign_schnorr(secret, message, aux) == signature


@pytest.mark.parametrize("case", [c for c in BIP340 if len(c["message"]) != 64], ids=lambda c: c["index"])
def test_messages_that_are_no_digests_are_refused(case):
    key, message, signature = (bytes.fromhex(case[name]) for name in ("public key", "message", "signature"))
    with pytest.raises(BitcoinMalformed):
        verify_schnorr(key, message, signature)


def test_wycheproof_ecdsa_with_low_s():
    for key, message, signature, result, comment in WYCHEPROOF:
        x, y = key[2:66], int(key[66:], 16)
        compressed = bytes((2 + y % 2,)) + bytes.fromhex(x)
        digest = hashlib.sha256(bytes.fromhex(message)).digest()
        assert verify_ecdsa(compressed, digest, bytes.fromhex(signature)) is (result == "valid"), comment
    assert len(WYCHEPROOF) == 463


@given(secrets, digests)
def test_what_is_signed_verifies_and_nothing_else(secret, digest):
    key = public_key_of(secret)
    der = sign_ecdsa(secret, digest)
    assert len(der) <= 70
    assert verify_ecdsa(key, digest, der)
    signature = sign_schnorr(secret, digest, digest)
    assert verify_schnorr(key[1:], digest, signature)
    other = bytes((digest[0] ^ 1,)) + digest[1:]
    assert not verify_ecdsa(key, other, der)
    assert not verify_schnorr(key[1:], other, signature)
    for at in range(len(der)):
        assert not verify_ecdsa(key, digest, der[:at] + bytes((der[at] ^ 1,)) + der[at + 1 :])


@given(secrets, digests)
def test_every_high_s_is_refused_until_it_is_lowered(secret, digest):
    der = sign_ecdsa(secret, digest)
    r = int.from_bytes(der[4 : 4 + der[3]], "big")
    s = int.from_bytes(der[6 + der[3] :], "big")
    high = r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big")
    assert low_s(high) == der == low_s(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    body = der[2 : 4 + der[3]] + b"\x02\x21\x00" + high[32:]
    assert not verify_ecdsa(public_key_of(secret), digest, b"\x30" + bytes((len(body),)) + body)


@given(st.binary(max_size=75), digests)
def test_bytes_that_are_no_signature_are_false(junk, digest):
    key = public_key_of(b"\x01" * 32)
    assert not verify_ecdsa(key, digest, junk)
    assert not verify_schnorr(key[1:], digest, junk)
    assert not verify_ecdsa(junk, digest, sign_ecdsa(b"\x01" * 32, digest))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sign_ecdsa(bytes(32), bytes(32)),
        lambda: sign_ecdsa(b"\x01" * 32, bytes(33)),
        lambda: sign_ecdsa(b"\x01" * 32, b""),
        lambda: sign_schnorr(b"\x01" * 32, bytes(32), bytes(31)),
        lambda: sign_schnorr(ORDER.to_bytes(32, "big"), bytes(32), bytes(32)),
        lambda: verify_ecdsa(public_key_of(b"\x01" * 32), bytes(31), b""),
        lambda: low_s(bytes(64)),
        lambda: low_s(b"\x01" * 63),
        lambda: low_s(b"\x01" * 32 + ORDER.to_bytes(32, "big")),
        lambda: public_key_of(bytes(32)),
    ],
)
def test_what_cannot_be_signed_is_refused(wrong):
    with pytest.raises(BitcoinMalformed):
        wrong()
