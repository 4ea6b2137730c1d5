import stat
from pathlib import Path

import msgspec
import pytest
import wallycore
from pkcs11 import Attribute, KeyType, MechanismFlag

from agent.signer.keystore import HsmKeys, Keystore, Pin, Promise, SoftwareKeys, Token, WrapKey
from agent.signer.keystore.software_key import wiped
from shared.bitcoin.dlc import decrypt
from shared.bitcoin.musig import taproot_tweak
from shared.bitcoin.signature import ORDER, public_key_of, verify_ecdsa, verify_schnorr
from shared.errors import BitcoinMalformed, Denied, KeyUnsafe
from shared.wire.codec import encode
from tests.softhsm import PIN, SoftHsm

DIGEST = bytes(range(32))
PURPOSE = "contract:" + "c" * 64


@pytest.fixture
def wrap_key(token: Token) -> WrapKey:
    key = WrapKey(token, "f0")
    key.generate("wrap")
    return key


@pytest.fixture
def software(tmp_path: Path, wrap_key: WrapKey) -> SoftwareKeys:
    return SoftwareKeys(tmp_path / "keys", wrap_key)


def test_a_software_key_signs_schnorr(software: SoftwareKeys) -> None:
    key = software.generate("k1", PURPOSE)
    assert verify_schnorr(key.public_key[1:], DIGEST, software.sign(key, DIGEST))


def test_a_software_key_signs_ecdsa_and_promises(software: SoftwareKeys, token: Token) -> None:
    """What a forward asks of it, by the keystore's own door."""
    key = software.generate("k1", PURPOSE)
    secret = b"\x07" * 32
    point = public_key_of(secret)
    keystore = Keystore(HsmKeys(token), software)
    keystore.open(())
    assert verify_ecdsa(key.public_key, DIGEST, keystore.sign_ecdsa(key.public_key, DIGEST))
    (adaptor,) = keystore.promise(key.public_key, [Promise(DIGEST, point)])
    assert verify_ecdsa(key.public_key, DIGEST, decrypt(adaptor, secret))
    with pytest.raises(Denied) as short:
        keystore.promise(key.public_key, [Promise(DIGEST[:31], point)])
    assert short.value.rule == "sign.selfcheck"
    with pytest.raises(Denied) as foreign:
        keystore.promise(point, [Promise(DIGEST, point)])
    assert foreign.value.rule == "sign.not-ours"


def test_a_tweaked_key_signs_for_the_output_key(software: SoftwareKeys) -> None:
    """Both parities of the internal key, against BIP-341's tweak as an independent implementation makes it."""
    parities = set()
    for number in range(12):
        key = software.generate(f"k{number}", PURPOSE)
        parities.add(key.public_key[0])
        tweak = taproot_tweak(key.public_key[1:], b"\x05" * 32)
        xonly = bytes(wallycore.ec_public_key_bip341_tweak(key.public_key, b"\x05" * 32, 0))[1:]
        assert verify_schnorr(xonly, DIGEST, software.sign(key, DIGEST, tweak.value))
    assert parities == {2, 3}


def test_a_key_opens_again_after_a_restart(hsm: SoftHsm, token: Token, software: SoftwareKeys, tmp_path: Path) -> None:
    key = software.generate("k1", PURPOSE)
    token.close()
    hsm.forget()
    with Token(token.address, Pin(PIN)) as again:
        wrap_key = WrapKey(again, "f0")
        wrap_key.open()
        reopened = SoftwareKeys(tmp_path / "keys", wrap_key)
        assert reopened.all() == [key]
        assert verify_schnorr(key.public_key[1:], DIGEST, reopened.sign(key, DIGEST))


def test_the_secret_stands_in_no_file(software: SoftwareKeys, tmp_path: Path) -> None:
    key = software.generate("k1", PURPOSE)
    with software.unlocked(key) as secret:
        clear = bytes(secret)
    assert secret == bytearray(32)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert clear not in path.read_bytes()
    assert stat.S_IMODE((tmp_path / "keys" / "k1.key").stat().st_mode) == 0o600


def test_secrets_are_wiped_even_on_an_error() -> None:
    secret = bytearray(b"\x07" * 32)
    with pytest.raises(ZeroDivisionError), wiped(secret):
        raise ZeroDivisionError
    assert secret == bytearray(32)


@pytest.mark.parametrize("field", ["key_id", "purpose", "public_key"])
def test_a_wrapped_key_opens_for_its_own_id_purpose_and_public_key_only(software: SoftwareKeys, field: str) -> None:
    key = software.generate("k1", PURPOSE)
    other: object = b"\x02" * 33 if field == "public_key" else "other"
    with pytest.raises(KeyUnsafe), software.unlocked(msgspec.structs.replace(key, **{field: other})):
        pass


def test_every_byte_of_the_wrapped_secret_counts(software: SoftwareKeys) -> None:
    key = software.generate("k1", PURPOSE)
    for position in range(len(key.wrapped)):
        changed = bytearray(key.wrapped)
        changed[position] ^= 1
        with pytest.raises(KeyUnsafe), software.unlocked(msgspec.structs.replace(key, wrapped=bytes(changed))):
            pass


@pytest.mark.parametrize("content", [b"", b"\x90", b"\xff" * 40])
def test_a_damaged_file_is_named(software: SoftwareKeys, tmp_path: Path, content: bytes) -> None:
    software.generate("k1", PURPOSE)
    (tmp_path / "keys" / "k1.key").write_bytes(content)
    with pytest.raises(KeyUnsafe, match=r"k1\.key"):
        software.all()


def test_a_renamed_file_is_refused(software: SoftwareKeys, tmp_path: Path) -> None:
    key = software.generate("k1", PURPOSE)
    (tmp_path / "keys" / "k2.key").write_bytes(encode(key))
    with pytest.raises(KeyUnsafe, match="holds key k1"):
        software.all()


@pytest.mark.parametrize("key_id", ["k1", "../k2", ""])
def test_an_id_that_is_taken_or_a_path_is_refused(software: SoftwareKeys, key_id: str) -> None:
    software.generate("k1", PURPOSE)
    with pytest.raises(KeyUnsafe):
        software.generate(key_id, PURPOSE)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_only_32_bytes_are_signed(software: SoftwareKeys, size: int) -> None:
    key = software.generate("k1", PURPOSE)
    with pytest.raises(Denied) as caught:
        software.sign(key, bytes(size))
    assert caught.value.rule == "sign.selfcheck"


@pytest.mark.parametrize("tweak", [b"", bytes(31), ORDER.to_bytes(32, "big")])
def test_a_tweak_outside_of_the_curve_is_refused(software: SoftwareKeys, tweak: bytes) -> None:
    with pytest.raises(BitcoinMalformed):
        software.sign(software.generate("k1", PURPOSE), DIGEST, tweak)


def test_a_wrapping_key_that_could_leave_the_token_is_refused(token: Token) -> None:
    def generate(session: object) -> None:
        session.generate_key(  # type: ignore[attr-defined]
            KeyType.AES, 256, store=True, id=b"\xf1", label="soft",
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT, template={Attribute.EXTRACTABLE: True},
        )  # fmt: skip

    token.run(generate)
    with pytest.raises(KeyUnsafe, match="EXTRACTABLE"):
        WrapKey(token, "f1").open()
    with pytest.raises(KeyUnsafe, match="does not have it"):
        WrapKey(token, "f2").open()


def test_the_keystore_finds_each_key_by_its_public_key(token: Token, software: SoftwareKeys) -> None:
    hsm_keys = HsmKeys(token)
    in_token, wrapped = hsm_keys.generate("a1", "first"), software.generate("k1", PURPOSE)
    keystore = Keystore(hsm_keys, software)
    keystore.open([in_token])
    assert keystore.public_keys == (in_token.public_key, wrapped.public_key)
    assert verify_ecdsa(in_token.public_key, DIGEST, keystore.sign_ecdsa(in_token.public_key, DIGEST))
    assert verify_schnorr(wrapped.public_key[1:], DIGEST, keystore.sign_schnorr(wrapped.public_key, DIGEST))
    assert not keystore.holds(b"\x02" * 33)
    assert verify_ecdsa(wrapped.public_key, DIGEST, keystore.sign_ecdsa(wrapped.public_key, DIGEST))
    with pytest.raises(KeyUnsafe):
        keystore.sign_ecdsa(b"\x02" * 33, DIGEST)
    with pytest.raises(KeyUnsafe):
        keystore.sign_schnorr(in_token.public_key, DIGEST)


def test_generation_leaves_no_half_written_file(software: SoftwareKeys, tmp_path: Path) -> None:
    software.generate("k1", PURPOSE)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["k1.key"]


def test_a_wrapped_key_that_does_not_open_stops_the_start(token: Token, software: SoftwareKeys, tmp_path: Path) -> None:
    key = software.generate("k1", PURPOSE)
    changed = msgspec.structs.replace(key, purpose="another")
    (tmp_path / "keys" / "k1.key").write_bytes(encode(changed))
    with pytest.raises(KeyUnsafe):
        Keystore(HsmKeys(token), software).open([])
