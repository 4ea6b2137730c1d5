"""Encrypted signatures by the vectors of dlcspecs; oracles and whole settlements are tested with forwards."""

import json
from pathlib import Path

import pytest

from shared.bitcoin.dlc import ADAPTOR_BYTES, decrypt, encrypt, verify_encrypted
from shared.bitcoin.signature import low_s, public_key_of, verify_ecdsa
from shared.errors import BitcoinMalformed

CASES = json.loads(Path(__file__).with_name("vectors").joinpath("dlc_adaptor.json").read_text())
SIGNER, ORACLE, DIGEST = b"\x11" * 32, b"\x22" * 32, b"\x33" * 32
POINT = public_key_of(ORACLE)


@pytest.mark.parametrize("case", CASES, ids=[case["comment"] for case in CASES])
def test_encrypted_signatures_of_the_specification(case):
    values = {
        name: bytes.fromhex(value) for name, value in case.items() if isinstance(value, str) and name != "comment"
    }
    public_key, digest, adaptor = values["public_key"], values["digest"], values["adaptor"]
    assert len(adaptor) == ADAPTOR_BYTES
    assert verify_encrypted(public_key, digest, values["point"], adaptor) is case["valid"]
    if case["valid"]:
        opened = decrypt(adaptor, values["key"])
        assert opened == low_s(values["signature"])
        assert verify_ecdsa(public_key, digest, opened)


def test_only_the_right_secret_opens_it():
    adaptor = encrypt(SIGNER, DIGEST, POINT)
    assert verify_encrypted(public_key_of(SIGNER), DIGEST, POINT, adaptor)
    assert verify_ecdsa(public_key_of(SIGNER), DIGEST, decrypt(adaptor, ORACLE))
    assert not verify_ecdsa(public_key_of(SIGNER), DIGEST, decrypt(adaptor, SIGNER))


def test_what_was_bent_is_never_believed():
    adaptor = encrypt(SIGNER, DIGEST, POINT)
    for place in range(ADAPTOR_BYTES):
        bent = bytearray(adaptor)
        bent[place] ^= 1
        assert not verify_encrypted(public_key_of(SIGNER), DIGEST, POINT, bytes(bent)), f"byte {place}"
    assert not verify_encrypted(public_key_of(SIGNER), DIGEST, POINT, adaptor[:-1])
    assert not verify_encrypted(public_key_of(SIGNER), DIGEST[:-1], POINT, adaptor)
    assert not verify_encrypted(b"\x02" * 5, DIGEST, POINT, adaptor)
    assert not verify_encrypted(public_key_of(SIGNER), DIGEST, b"\x02" * 33 + b"x", adaptor)


def test_what_cannot_be_read_is_malformed():
    with pytest.raises(BitcoinMalformed):
        encrypt(SIGNER, DIGEST, b"no point")
    with pytest.raises(BitcoinMalformed):
        encrypt(bytes(32), DIGEST, POINT)
    with pytest.raises(BitcoinMalformed):
        decrypt(b"too short", ORACLE)
    with pytest.raises(BitcoinMalformed):
        decrypt(encrypt(SIGNER, DIGEST, POINT), bytes(32))
