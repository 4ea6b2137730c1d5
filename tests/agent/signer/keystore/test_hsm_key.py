import secrets
import threading

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from agent.signer.keystore.hsm_key import HsmKey, HsmKeys
from agent.signer.keystore.pin import Pin
from agent.signer.keystore.token import Token
from shared.bitcoin.signature import ORDER, verify_ecdsa
from shared.errors import Denied, KeyUnsafe
from tests.softhsm import PIN, SoftHsm

DIGEST = bytes(range(32))
CURVE = bytes.fromhex("06052b8104000a")


@pytest.fixture
def keys(token: Token) -> HsmKeys:
    return HsmKeys(token)


def generate(session: pkcs11.Session, key_id: str, label: str, curve: bytes = CURVE, **private: bool) -> None:
    """A pair as somebody else's tool would make it."""
    parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
    template = {Attribute[name]: value for name, value in private.items()}
    parameters.generate_keypair(
        store=True, id=bytes.fromhex(key_id), label=label, private_template=template or None,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
    )  # fmt: skip


def test_every_signature_is_low_s_der_of_the_pinned_key(keys: HsmKeys) -> None:
    """A token gives high S as often as not, so forty would show a normalisation that was forgotten."""
    key = keys.generate("a1", "first")
    assert len(key.public_key) == 33
    for _ in range(40):
        digest = secrets.token_bytes(32)
        signature = keys.sign(key, digest)
        assert len(signature) <= 71
        assert verify_ecdsa(key.public_key, digest, signature)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_only_32_bytes_are_signed(keys: HsmKeys, size: int) -> None:
    key = keys.generate("a1", "first")
    with pytest.raises(Denied) as caught:
        keys.sign(key, bytes(size))
    assert caught.value.rule == "sign.selfcheck"


def test_the_secret_cannot_be_read(keys: HsmKeys, token: Token) -> None:
    keys.generate("a1", "first")

    def read(session: pkcs11.Session) -> object:
        return session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=b"\xa1")[Attribute.VALUE]

    with pytest.raises(Exception, match="Sensitive"):
        token.run(read)


def test_a_key_signs_after_a_restart_of_the_box(hsm: SoftHsm) -> None:
    address = hsm.add_token()
    with Token(address, Pin(PIN)) as token:
        key = HsmKeys(token).generate("a1", "first")
    hsm.forget()
    with Token(address, Pin(PIN)) as token:
        keys = HsmKeys(token)
        keys.open([key])
        assert verify_ecdsa(key.public_key, DIGEST, keys.sign(key, DIGEST))


def test_a_key_signs_after_a_lost_session(keys: HsmKeys, token: Token) -> None:
    key = keys.generate("a1", "first")
    other = keys.generate("a2", "second")
    token.run(lambda session: session.close() if token.sessions == 1 else None)
    for each in (key, other):
        assert verify_ecdsa(each.public_key, DIGEST, keys.sign(each, DIGEST))


def test_a_key_that_was_not_opened_does_not_sign(keys: HsmKeys, token: Token) -> None:
    key = keys.generate("a1", "first")
    with pytest.raises(KeyUnsafe):
        HsmKeys(token).sign(key, DIGEST)
    with pytest.raises(KeyUnsafe):
        keys.sign(HsmKey("a1", b"\x02" * 33), DIGEST)


@pytest.mark.parametrize(("key_id", "label"), [("a1", "other"), ("a2", "first")])
def test_an_id_or_label_that_is_taken_is_refused(keys: HsmKeys, key_id: str, label: str) -> None:
    keys.generate("a1", "first")
    with pytest.raises(KeyUnsafe):
        keys.generate(key_id, label)


@pytest.mark.parametrize(("key_id", "label"), [("a1", "other"), ("a2", "first")])
def test_a_doubled_id_or_label_stops_the_start(keys: HsmKeys, token: Token, key_id: str, label: str) -> None:
    """Somebody laid a key of his own beside ours."""
    key = keys.generate("a1", "first")
    token.run(lambda session: generate(session, key_id, label, EXTRACTABLE=False))
    with pytest.raises(KeyUnsafe, match="2 objects"):
        HsmKeys(token).open([key])
    with pytest.raises(KeyUnsafe, match="two keys"):
        keys.all_in_token()


def test_a_swapped_key_stops_the_start(keys: HsmKeys, token: Token) -> None:
    """Same id, same label, another key."""
    key = keys.generate("a1", "first")

    def swap(session: pkcs11.Session) -> None:
        for found in list(session.get_objects({Attribute.ID: b"\xa1"})):
            found.destroy()
        generate(session, "a1", "first", EXTRACTABLE=False, SENSITIVE=True)

    token.run(swap)
    with pytest.raises(KeyUnsafe, match="pinned"):
        HsmKeys(token).open([key])


def test_a_key_swapped_behind_its_public_half_does_not_sign(keys: HsmKeys, token: Token) -> None:
    """The public object still shows the pinned point, the private one is another: the signature gives it away."""
    key = keys.generate("a1", "first")

    def swap(session: pkcs11.Session) -> None:
        for found in list(session.get_objects({Attribute.ID: b"\xa1", Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
            found.destroy()
        generate(session, "a1", "first", EXTRACTABLE=False, SENSITIVE=True)
        for found in list(session.get_objects({Attribute.ID: b"\xa1", Attribute.CLASS: ObjectClass.PUBLIC_KEY})):
            if (bytes(found[Attribute.EC_POINT])[-1] % 2, bytes(found[Attribute.EC_POINT])[3:35]) != (
                key.public_key[0] % 2,
                key.public_key[1:],
            ):
                found.destroy()

    token.run(swap)
    swapped = HsmKeys(token)
    swapped.open([key])
    with pytest.raises(Denied) as caught:
        swapped.sign(key, DIGEST)
    assert caught.value.rule == "sign.selfcheck"


def test_a_key_that_could_leave_the_token_stops_the_start(keys: HsmKeys, token: Token) -> None:
    token.run(lambda session: generate(session, "a1", "first", EXTRACTABLE=True))
    (key,) = keys.all_in_token()
    with pytest.raises(KeyUnsafe, match="EXTRACTABLE"):
        keys.open([key])


def test_a_key_that_is_absent_or_of_another_curve_is_named(keys: HsmKeys, token: Token) -> None:
    with pytest.raises(KeyUnsafe, match="does not have it"):
        keys.open([HsmKey("a1", b"\x02" * 33)])
    token.run(lambda session: generate(session, "a1", "p256", bytes.fromhex("06082a8648ce3d030107")))
    with pytest.raises(KeyUnsafe, match="secp256k1"):
        keys.open([HsmKey("a1", b"\x02" * 33)])


def faulty(raw: bytes) -> list[bytes]:
    """What a broken or hostile token might return in place of `raw`."""
    flipped = bytes((raw[0] ^ 1,)) + raw[1:]
    return [flipped, raw[:63], raw + b"\x00", bytes(64), raw[:32] + ORDER.to_bytes(32, "big"), raw[32:] + raw[:32], b""]


@pytest.mark.parametrize("case", range(7))
def test_a_faulty_signature_never_leaves(keys: HsmKeys, monkeypatch: pytest.MonkeyPatch, case: int) -> None:
    key = keys.generate("a1", "first")
    honest = HsmKeys._raw
    monkeypatch.setattr(HsmKeys, "_raw", lambda *arguments: faulty(honest(*arguments))[case])
    with pytest.raises(Denied) as caught:
        keys.sign(key, DIGEST)
    assert caught.value.rule == "sign.selfcheck"


def test_threads_sign_one_after_another(keys: HsmKeys) -> None:
    key = keys.generate("a1", "first")
    good = []

    def sign() -> None:
        for _ in range(20):
            digest = secrets.token_bytes(32)
            good.append(verify_ecdsa(key.public_key, digest, keys.sign(key, digest)))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 80
