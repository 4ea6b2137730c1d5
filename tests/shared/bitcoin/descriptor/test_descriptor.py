import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.descriptor import MAX_INDEX, Descriptor
from shared.bitcoin.descriptor.checksum import checksum
from shared.bitcoin.key_origin import HARDENED, KeyOrigin
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wsh
from shared.bitcoin.sighash import leaf_hash
from shared.errors import BitcoinDisagreement, BitcoinMalformed, InsaneScript

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "descriptors.json").read_text())
MULTIPATH = json.loads((Path(__file__).parent.parent / "vectors" / "bip389.json").read_text())

# Keys of the BIPs' own vectors.
A = (
    "[d34db33f/48h/0h]"
    "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"
)
B = "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y"
C = "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB"
R = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
NUMS = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
VAULT = f"wsh(or_d(multi(2,{A}/<0;1>/*,{B}/<0;1>/*,{C}/<0;1>/*),and_v(v:pkh({R}),older(4320))))"
WALLET = f"tr(musig({A},{B},{C})/<0;1>/*,{{multi_a(2,{A}/<0;1>/*,{B}/<0;1>/*,{C}/<0;1>/*),and_v(v:pk({R}),older(9))}})"


def cases(kind):
    return [pytest.param(case, id=f"{case['source']}: {case['descriptor'][:60]}") for case in VECTORS[kind]]


@pytest.mark.parametrize("case", cases("valid"))
def test_an_official_descriptor_comes_to_its_scripts(case):
    found = Descriptor.parse(case["descriptor"], Network.MAIN)
    assert [found.derive(0, index).script.hex() for index in range(len(case["scripts"]))] == case["scripts"]
    assert Descriptor.parse(found.checksum_text, Network.MAIN) == found


@pytest.mark.parametrize("case", cases("private"))
def test_a_private_key_is_refused(case):
    with pytest.raises(BitcoinMalformed) as refusal:
        Descriptor.parse(case["descriptor"], Network.MAIN)
    assert "xprv" not in refusal.value.detail


@pytest.mark.parametrize("case", cases("invalid"))
def test_an_invalid_descriptor_is_refused(case):
    with pytest.raises((BitcoinMalformed, InsaneScript)):
        Descriptor.parse(case["descriptor"], Network.MAIN)


@pytest.mark.parametrize("case", cases("other_forms"))
def test_forms_that_we_do_not_pay_to_are_refused(case):
    """Bare, raw and combo outputs, hardened steps behind public keys, and what only one implementation reads."""
    with pytest.raises((BitcoinMalformed, BitcoinDisagreement)):
        Descriptor.parse(case["descriptor"], Network.MAIN)


@pytest.mark.parametrize("case", MULTIPATH["valid"], ids=lambda case: case["descriptor"][:60])
def test_multipath_steps_are_branches(case):
    """BIP-389: each branch is the descriptor that it expands to."""
    found = Descriptor.parse(case["descriptor"], Network.MAIN)
    assert found.branches == len(case["expands_to"])
    for branch, text in enumerate(case["expands_to"]):
        alone = Descriptor.parse(text, Network.MAIN)
        for index in found.indices(3):
            assert found.derive(branch, index).script == alone.derive(0, index).script
    with pytest.raises(BitcoinMalformed, match="no branch"):
        found.derive(found.branches, 0)


@pytest.mark.parametrize("text", MULTIPATH["invalid"] + MULTIPATH["private"] + MULTIPATH["other_forms"])
def test_invalid_and_private_multipath_descriptors_are_refused(text):
    with pytest.raises(BitcoinMalformed) as refusal:
        Descriptor.parse(text, Network.MAIN)
    assert "xprv" not in refusal.value.detail


def test_the_vault_tells_its_scripts_keys_and_origins():
    vault = Descriptor.parse(VAULT, Network.MAIN)
    derived = vault.derive(1, 7)
    assert derived.script == p2wsh(derived.witness_script)
    assert derived.leaves == ()
    assert derived.internal_key is None
    assert [key.text for key in vault.keys] == [f"{key}/<0;1>/*" for key in (A, B, C)] + [R]
    assert vault.keys[0].origin == KeyOrigin(bytes.fromhex("d34db33f"), (HARDENED + 48, HARDENED))
    assert derived.keys[3].hex() == R
    assert all(key in derived.witness_script for key in derived.keys[:3])
    assert derived.origins[derived.keys[0]] == KeyOrigin(bytes.fromhex("d34db33f"), (HARDENED + 48, HARDENED, 1, 7))
    assert derived.origins[derived.keys[3]].path == ()
    assert vault.address(1, 7).startswith("bc1q")
    assert not vault.is_taproot


def test_the_wallet_tells_its_tree_and_its_aggregate():
    wallet = Descriptor.parse(WALLET, Network.MAIN)
    derived = wallet.derive(0, 3)
    assert wallet.is_taproot
    assert [key.in_musig for key in wallet.keys] == [True] * 3 + [False] * 4
    (aggregate,) = derived.aggregates
    assert aggregate.key[1:] == derived.internal_key
    assert aggregate.participants == tuple(sorted(derived.keys[:3]))
    assert aggregate.origin.path == (0, 3)
    quorum, recovery = derived.leaves
    assert quorum.keys == derived.keys[3:6]
    assert recovery.keys[0][1:].hex() == R[2:]
    assert quorum.control_block[1:33] == derived.internal_key
    assert quorum.leaf_hash == leaf_hash(quorum.script)
    assert quorum.control_block[33:] == recovery.leaf_hash
    assert (quorum.depth, recovery.depth) == (1, 1)


def test_the_spelling_of_hardened_steps_makes_no_difference():
    apostrophes = VAULT.replace("48h/0h", "48'/0'")
    found = Descriptor.parse(f"{apostrophes}#{checksum(apostrophes)}", Network.MAIN)
    assert found == Descriptor.parse(VAULT, Network.MAIN)
    assert "'" not in found.checksum_text


def test_one_meaning_has_one_text():
    with pytest.raises(BitcoinMalformed, match="written shorter or otherwise"):
        Descriptor.parse(f"wsh(c:pk_k({R}))", Network.MAIN)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"wsh(or_d(pk({R}),and_v(v:pk({R}),older(10))))", "the same key stands twice"),
        (f"wsh(or_i(pk({R}),older(10)))", "without any signature"),
        (f"wsh(and_v(v:pk({R}),and_v(v:after(100),after(500000001))))", "a block height and a time at once"),
        (f"tr({NUMS},{{pk({R}),pk({R})}})", "two leaves of the tree are the same"),
        (f"tr({NUMS},or_i(pk({R}),older(10)))", "without any signature"),
    ],
)
def test_an_insane_script_is_refused_with_the_reason(text, reason):
    with pytest.raises(InsaneScript, match=reason):
        Descriptor.parse(text, Network.MAIN)


def test_keys_of_another_network_are_refused():
    with pytest.raises(BitcoinMalformed):
        Descriptor.parse(VAULT, Network.REGTEST)


def test_far_indices_are_refused():
    vault = Descriptor.parse(VAULT, Network.MAIN)
    assert vault.derive(0, MAX_INDEX).index == MAX_INDEX
    for index in (-1, MAX_INDEX + 1, HARDENED):
        with pytest.raises(BitcoinMalformed, match="no script"):
            vault.derive(0, index)
    fixed = Descriptor.parse(f"wsh(pk({R}))", Network.MAIN)
    assert fixed.derive(0, 0).keys[0].hex() == R
    with pytest.raises(BitcoinMalformed, match="no script"):
        fixed.derive(0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "raw(deadbeef)#",
        "raw(deadbeef)#89f8spxmx",
        "raw(deadbeef)#89f8spx",
        "raw(deedbeef)#89f8spxm",
        "raw(deedbeef)##9f8spxm",
        "raw(Ü)#00000000",
    ],
)
def test_a_wrong_checksum_is_refused(text):
    """The invalid vectors of BIP-380."""
    with pytest.raises(BitcoinMalformed, match=r"checksum|character"):
        Descriptor.parse(text, Network.MAIN)


def test_the_checksum_is_that_of_bip_380():
    assert checksum("raw(deadbeef)") == "89f8spxm"


@given(st.integers(0, len(VAULT) - 1), st.sampled_from("0123456789abcdefgh/*;<>(){}"))
def test_one_mistyped_character_is_noticed(place, character):
    typed = VAULT[:place] + character + VAULT[place + 1 :]
    assert typed == VAULT or checksum(typed) != checksum(VAULT)


@given(st.text(alphabet="0123456789abcdef()[]{},'/*<>;hwshtrpkmultiolderandv_:", max_size=200))
def test_any_text_is_read_or_refused_by_us(text):
    with suppress(BitcoinMalformed, BitcoinDisagreement, InsaneScript):
        Descriptor.parse(f"wsh({text})", Network.MAIN)
