import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bitcoin.musig import (
    KeyAggregate,
    SecretNonce,
    Session,
    Tweak,
    aggregate_nonces,
    sort_keys,
    taproot_tweak,
)
from shared.bitcoin.signature import public_key_of, verify_schnorr
from shared.errors import BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"


def vectors(name):
    return json.loads((VECTORS / f"bip327_{name}.json").read_text())


KEY_AGG, NONCE_AGG, TWEAK = vectors("key_agg"), vectors("nonce_agg"), vectors("tweak")
SIGN, SIG_AGG = vectors("sign_verify"), vectors("sig_agg")

SECRETS = [bytes((number,)) * 32 for number in (1, 2, 3)]
KEYS = [public_key_of(secret) for secret in SECRETS]
MESSAGE = bytes(range(32))


def pick(values, indices):
    return [bytes.fromhex(values[index]) for index in indices]


def aggregate(file, case):
    tweaks = zip(pick(file["tweaks"], case["tweak_indices"]), case["is_xonly"], strict=True)
    return KeyAggregate(pick(file["pubkeys"], case["key_indices"]), [Tweak(*tweak) for tweak in tweaks])


@pytest.mark.parametrize("case", KEY_AGG["valid_test_cases"])
def test_key_aggregation_of_bip_327(case):
    found = KeyAggregate(pick(KEY_AGG["pubkeys"], case["key_indices"]))
    assert found.xonly_key == found.untweaked_xonly_key == bytes.fromhex(case["expected"])


@pytest.mark.parametrize("case", KEY_AGG["error_test_cases"], ids=lambda case: case["comment"])
def test_keys_that_cannot_be_aggregated(case):
    with pytest.raises(BitcoinMalformed, match="MuSig2"):
        aggregate(KEY_AGG, case)


@pytest.mark.parametrize("case", NONCE_AGG["valid_test_cases"])
def test_nonce_aggregation_of_bip_327(case):
    assert aggregate_nonces(pick(NONCE_AGG["pnonces"], case["pnonce_indices"])) == bytes.fromhex(case["expected"])


@pytest.mark.parametrize("case", NONCE_AGG["error_test_cases"], ids=lambda case: case["comment"])
def test_nonces_that_cannot_be_aggregated(case):
    with pytest.raises(BitcoinMalformed, match=f"index {case['error']['signer']}"):
        aggregate_nonces(pick(NONCE_AGG["pnonces"], case["pnonce_indices"]))


def sign_session(case):
    keys, nonces = pick(SIGN["pubkeys"], case["key_indices"]), pick(SIGN["pnonces"], case["nonce_indices"])
    return KeyAggregate(keys).session(bytes.fromhex(SIGN["msgs"][case["msg_index"]]), nonces)


@pytest.mark.parametrize("case", [case for case in SIGN["valid_test_cases"] if case["msg_index"] == 0])
def test_partial_signatures_of_bip_327(case):
    session = sign_session(case)
    assert aggregate_nonces(session.nonces) == bytes.fromhex(SIGN["aggnonces"][case["aggnonce_index"]])
    partial = bytes.fromhex(case["expected"])
    others = [index for index in range(len(session.nonces)) if index != case["signer_index"]]
    assert session.verify(case["signer_index"], partial)
    assert not any(session.verify(other, partial) for other in others)


@pytest.mark.parametrize("case", [case for case in SIGN["valid_test_cases"] if case["msg_index"]])
def test_messages_that_are_no_digests_are_refused(case):
    with pytest.raises(BitcoinMalformed):
        sign_session(case)


@pytest.mark.parametrize("case", SIGN["verify_fail_test_cases"], ids=lambda case: case["comment"])
def test_wrong_partial_signatures_of_bip_327(case):
    assert not sign_session(case).verify(case["signer_index"], bytes.fromhex(case["sig"]))


@pytest.mark.parametrize("case", SIGN["verify_error_test_cases"], ids=lambda case: case["comment"])
def test_nonces_and_keys_of_bip_327_that_are_none(case):
    with pytest.raises(BitcoinMalformed):
        sign_session(case)


@pytest.mark.parametrize("case", TWEAK["valid_test_cases"])
def test_tweaked_partial_signatures_of_bip_327(case):
    session = aggregate(TWEAK, case).session(bytes.fromhex(TWEAK["msg"]), pick(TWEAK["pnonces"], case["nonce_indices"]))
    assert session.verify(case["signer_index"], bytes.fromhex(case["expected"]))
    untweaked = KeyAggregate(session.aggregate.public_keys).session(session.message, session.nonces)
    assert not untweaked.verify(case["signer_index"], bytes.fromhex(case["expected"]))


@pytest.mark.parametrize("case", TWEAK["error_test_cases"], ids=lambda case: case["comment"])
def test_tweaks_that_are_refused(case):
    with pytest.raises(BitcoinMalformed):
        aggregate(TWEAK, case)


@pytest.mark.parametrize("case", SIG_AGG["valid_test_cases"])
def test_combined_signatures_of_bip_327(case):
    keys = aggregate(SIG_AGG, case)
    session = keys.session(bytes.fromhex(SIG_AGG["msg"]), pick(SIG_AGG["pnonces"], case["nonce_indices"]))
    assert aggregate_nonces(session.nonces) == bytes.fromhex(case["aggnonce"])
    signature = session.combine(pick(SIG_AGG["psigs"], case["psig_indices"]))
    assert signature == bytes.fromhex(case["expected"])
    assert verify_schnorr(keys.xonly_key, session.message, signature)


@pytest.mark.parametrize("case", SIG_AGG["error_test_cases"], ids=lambda case: case["comment"])
def test_partial_signatures_that_cannot_be_combined(case):
    session = aggregate(SIG_AGG, case).session(
        bytes.fromhex(SIG_AGG["msg"]), pick(SIG_AGG["pnonces"], case["nonce_indices"])
    )
    with pytest.raises(BitcoinMalformed, match="index 1"):
        session.combine(pick(SIG_AGG["psigs"], case["psig_indices"]))


def nonces_for(keys, message=MESSAGE):
    return [keys.nonce(key, secret, message) for key, secret in zip(KEYS, SECRETS, strict=True)]


def public(nonces):
    return [nonce.public for nonce in nonces]


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.permutations(KEYS), st.none() | st.binary(min_size=32, max_size=32))
def test_all_together_make_a_signature_of_the_taproot_key(message, order, root):
    keys = KeyAggregate(sort_keys(order))
    assert keys.public_key == KeyAggregate(sort_keys(KEYS)).public_key
    tweaked = keys.tweaked(taproot_tweak(keys.xonly_key, root or b""))
    secrets = dict(zip(KEYS, SECRETS, strict=True))
    nonces = [tweaked.nonce(key, secrets[key], message) for key in tweaked.public_keys]
    session = tweaked.session(message, public(nonces))
    partials = [nonce.sign(secrets[key], session) for key, nonce in zip(tweaked.public_keys, nonces, strict=True)]
    assert all(session.verify(index, partial) for index, partial in enumerate(partials))
    assert verify_schnorr(tweaked.xonly_key, message, session.combine(partials))


def test_taproot_keys_are_those_of_bip_341():
    for case in json.loads((VECTORS / "bip341.json").read_text())["scriptPubKey"]:
        key = bytes.fromhex(case["given"]["internalPubkey"])
        root = bytes.fromhex(case["intermediary"]["merkleRoot"] or "")
        assert taproot_tweak(key, root).value.hex() == case["intermediary"]["tweak"]


def test_a_wrong_part_is_found_and_spoils_the_whole():
    keys = KeyAggregate(KEYS)
    nonces = nonces_for(keys)
    session = keys.session(MESSAGE, public(nonces))
    partials = [nonce.sign(secret, session) for nonce, secret in zip(nonces, SECRETS, strict=True)]
    wrong = [partials[0], bytes((partials[1][0] ^ 1,)) + partials[1][1:], partials[2]]
    assert [session.verify(index, partial) for index, partial in enumerate(wrong)] == [True, False, True]
    assert not verify_schnorr(keys.xonly_key, MESSAGE, session.combine(wrong))
    assert not session.verify(0, b"")
    with pytest.raises(BitcoinMalformed, match="3 participants but 2"):
        session.combine(partials[:2])


def test_a_nonce_signs_once():
    keys = KeyAggregate(KEYS)
    nonces = nonces_for(keys)
    session = keys.session(MESSAGE, public(nonces))
    nonces[0].sign(SECRETS[0], session)
    with pytest.raises(BitcoinMalformed):
        nonces[0].sign(SECRETS[0], session)


def others():
    keys = KeyAggregate(KEYS)
    yield "message", keys, bytes(32)
    yield "tweak", keys.tweaked(Tweak(b"\x01" * 32, xonly=True)), MESSAGE
    yield "participant", KeyAggregate([KEYS[0], KEYS[1], public_key_of(b"\x04" * 32)]), MESSAGE
    yield "order", KeyAggregate([KEYS[0], KEYS[2], KEYS[1]]), MESSAGE


@pytest.mark.parametrize(("keys", "message"), [other[1:] for other in others()], ids=[other[0] for other in others()])
def test_a_nonce_signs_nothing_but_what_it_was_made_for(keys, message):
    nonces = nonces_for(KeyAggregate(KEYS))
    session = keys.session(message, public(nonces))
    with pytest.raises(BitcoinMalformed, match="another message or other participants"):
        nonces[0].sign(SECRETS[0], session)
    right = KeyAggregate(KEYS).session(MESSAGE, public(nonces))
    with pytest.raises(BitcoinMalformed):
        nonces[0].sign(SECRETS[0], right)


def test_a_nonce_is_not_used_in_a_session_without_it():
    keys = KeyAggregate(KEYS)
    session = keys.session(MESSAGE, public(nonces_for(keys)))
    with pytest.raises(BitcoinMalformed, match="not among the session's"):
        nonces_for(keys)[0].sign(SECRETS[0], session)


def test_an_abandoned_nonce_never_signs():
    keys = KeyAggregate(KEYS)
    nonces = nonces_for(keys)
    with nonces[0]:
        session = keys.session(MESSAGE, public(nonces))
    with pytest.raises(BitcoinMalformed):
        nonces[0].sign(SECRETS[0], session)


def test_a_nonce_is_not_copied():
    keys = KeyAggregate(KEYS)
    nonces = nonces_for(keys)
    for attempt in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(nonces[0])
    session = keys.session(MESSAGE, public(nonces))
    copy.copy(nonces[0]).sign(SECRETS[0], session)  # the same nonce under another name
    with pytest.raises(BitcoinMalformed):
        nonces[0].sign(SECRETS[0], session)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: KeyAggregate([]),
        lambda: KeyAggregate([KEYS[0][1:]]),
        lambda: KeyAggregate(KEYS).nonce(public_key_of(b"\x04" * 32), b"\x04" * 32, MESSAGE),
        lambda: KeyAggregate(KEYS).nonce(KEYS[0], SECRETS[0], MESSAGE[:31]),
        lambda: KeyAggregate(KEYS).session(MESSAGE, [nonces_for(KeyAggregate(KEYS))[0].public]),
        lambda: KeyAggregate(KEYS).session(MESSAGE, [bytes(66)] * 3),
        lambda: aggregate_nonces([]),
        lambda: SecretNonce(KeyAggregate(KEYS), KEYS[0], bytes(32), MESSAGE),
        lambda: Session(KeyAggregate(KEYS), b"", [nonce.public for nonce in nonces_for(KeyAggregate(KEYS))]),
    ],
)
def test_what_is_no_session_is_refused(wrong):
    with pytest.raises(BitcoinMalformed):
        wrong()


def test_a_secret_of_somebody_else_does_not_sign():
    keys = KeyAggregate(KEYS)
    nonces = nonces_for(keys)
    with pytest.raises(BitcoinMalformed):
        nonces[0].sign(SECRETS[1], keys.session(MESSAGE, public(nonces)))
