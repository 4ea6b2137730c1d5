import json
from dataclasses import replace
from pathlib import Path

import pytest
import wallycore
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.extended_key import ExtendedKey, parse_path
from shared.bitcoin.network import Network
from shared.errors import BitcoinMalformed

VECTORS = json.loads((Path(__file__).parent / "vectors" / "bip32.json").read_text())
CHAINS = [(seed, *row) for seed, rows in VECTORS["valid"].items() for row in rows]
MASTER = ExtendedKey.from_seed(bytes(range(16)), Network.MAIN)

soft = st.integers(0, 2**31 - 1)
hard = st.integers(2**31, 2**32 - 1)


@pytest.mark.parametrize(("seed", "path", "public", "private"), CHAINS)
def test_chains_of_bip_32(seed, path, public, private):
    key = ExtendedKey.from_seed(bytes.fromhex(seed), Network.MAIN).derive(parse_path(path))
    assert (str(key), str(key.public())) == (private, public)
    assert ExtendedKey.parse(private) == key
    assert ExtendedKey.parse(public) == key.public()
    assert key.is_private
    assert not key.public().is_private


@pytest.mark.parametrize("text", VECTORS["invalid"])
def test_invalid_keys_of_bip_32(text):
    with pytest.raises(BitcoinMalformed):
        ExtendedKey.parse(text)


def test_the_vectors_are_all_there():
    assert len(VECTORS["invalid"]) == 16
    assert len(CHAINS) == 17


@given(
    st.sampled_from([16, 32, 64]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.lists(soft | hard, max_size=4),
    st.lists(soft, max_size=3),
)
def test_keys_are_those_of_wallycore(seed, hardened, path):
    key = ExtendedKey.from_seed(seed, Network.REGTEST).derive(hardened)
    theirs = wallycore.bip32_key_from_seed(seed, wallycore.BIP32_VER_TEST_PRIVATE, 0)
    for step in hardened + path:
        theirs = wallycore.bip32_key_from_parent(theirs, step, wallycore.BIP32_FLAG_KEY_PRIVATE)
    assert str(key.derive(path)) == wallycore.bip32_key_to_base58(theirs, wallycore.BIP32_FLAG_KEY_PRIVATE)
    assert key.public().derive(path) == key.derive(path).public(), "without the secret as well"
    assert ExtendedKey.parse(str(key)) == key


@given(st.data())
def test_a_changed_letter_is_refused(data):
    text = str(MASTER.public())
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"))
    if letter != text[at]:
        with pytest.raises(BitcoinMalformed):
            ExtendedKey.parse(text[:at] + letter + text[at + 1 :])


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "xpub" + "z" * 1_000_000, "\ud800", "xpub\0", f"{MASTER.public()}\0", f"{MASTER} "]
)
def test_monstrous_text_is_refused_at_once(text):
    with pytest.raises(BitcoinMalformed):
        ExtendedKey.parse(text)
    with pytest.raises(BitcoinMalformed):
        parse_path("9" * 5_000)


@given(st.text(max_size=120))
def test_any_other_text_is_refused(text):
    with pytest.raises(BitcoinMalformed):
        ExtendedKey.parse(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("m", ()),
        ("", ()),
        ("m/0", (0,)),
        ("48h/1'/0H/2", (2**31 + 48, 2**31 + 1, 2**31, 2)),
        ("m/2147483647h", (2**32 - 1,)),
    ],
)
def test_paths(text, steps):
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text", ["m/", "/0/", "0//1", "m/-1", "2147483648", "0hh", "h", "m/0x1", "01", "1_0", "٣", "*", "m0"]
)
def test_paths_that_lead_nowhere(text):
    with pytest.raises(BitcoinMalformed, match="is no step"):
        parse_path(text)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: MASTER.public().derive([2**31]), "0h needs the private key"),
        (lambda: MASTER.derive([2**32]), "2\\^32"),
        (lambda: MASTER.derive([-1]), "2\\^32"),
        (lambda: replace(MASTER, depth=255).derive([0]), "255"),
        (lambda: ExtendedKey.from_seed(bytes(15), Network.MAIN), "15 bytes"),
    ],
)
def test_keys_that_do_not_exist(wrong, words):
    with pytest.raises(BitcoinMalformed, match=words):
        wrong()


def test_the_secret_is_never_shown_by_accident():
    assert MASTER.secret is not None
    assert MASTER.secret.hex() not in repr(MASTER)
    assert repr(MASTER.secret) not in repr(MASTER)
    assert MASTER.fingerprint.hex() == "3442193e"
