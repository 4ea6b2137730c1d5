"""Declared paths are those of the script, and their weight is that of the real witness."""

import msgspec
import pytest

from agent.signer.policy.document import check_terms
from agent.signer.policy.ownership import path_keys
from agent.signer.policy.ways import path_input_wu
from shared.bitcoin.descriptor import Descriptor
from shared.errors import Denied
from shared.wire.contract import ContractTerms, Party, SpendingPath
from tests.agent.signer.scene import MASTERS, NETWORK, TREE, WSH, parsed, terms

NORMAL, RECOVERY = terms().paths


def rule_of(document: ContractTerms) -> str:
    try:
        check_terms(document, Descriptor.parse(document.descriptor, NETWORK))
    except Denied as denied:
        return denied.rule
    return ""


def changed(path: SpendingPath, **fields: object) -> SpendingPath:
    return msgspec.structs.replace(path, **fields)


@pytest.mark.parametrize("descriptor", [WSH, TREE], ids=["wsh", "tr"])
def test_true_paths_are_taken(descriptor):
    assert rule_of(terms(descriptor)) == ""


@pytest.mark.parametrize(
    "paths",
    [
        (NORMAL, changed(RECOVERY, older_blocks=143)),
        (NORMAL, changed(RECOVERY, older_blocks=None)),
        (NORMAL, changed(RECOVERY, older_blocks=None, after_height=144)),
        (NORMAL, changed(RECOVERY, after_height=900)),
        (changed(NORMAL, needed=1), RECOVERY),
        (changed(NORMAL, needed=3), RECOVERY),
        (changed(NORMAL, keys=("a", "b")), RECOVERY),
        (changed(NORMAL, keys=("a", "b", "r")), RECOVERY),
        (changed(NORMAL, keys=("a", "b", "c", "r")), RECOVERY),
        (changed(NORMAL, leaf=0), RECOVERY),
        (NORMAL,),
        (RECOVERY,),
        (NORMAL, changed(RECOVERY, role="signer")),
        (changed(NORMAL, role="recovery"), RECOVERY),
    ],
)
def test_paths_that_are_not_those_of_the_script(paths):
    assert rule_of(terms(paths=paths)) == "register.terms"


def test_leaves_and_the_key_path_are_told_apart():
    first, second, key_path = terms(TREE).paths
    assert rule_of(terms(TREE, paths=(first, second))) == "register.terms"
    swapped = (changed(first, leaf=1), changed(second, leaf=0), key_path)
    assert rule_of(terms(TREE, paths=swapped)) == "register.terms"


@pytest.mark.parametrize(
    "script",
    [
        "wsh(or_d(multi(2,{a},{b},{c}),and_v(v:pkh({r}),older(4194305))))",
        "wsh(or_d(multi(2,{a},{b},{c}),and_v(v:pkh({r}),after(1700000000))))",
        "wsh(or_d(multi(2,{a},{b},{c}),and_v(v:pkh({r}),sha256(" + "11" * 32 + "))))",
    ],
)
def test_locks_and_secrets_that_no_path_can_declare(script):
    keys = {party.name: party.key for party in terms().parties}
    descriptor = parsed(script.format(**keys)).checksum_text
    document = msgspec.structs.replace(terms(), descriptor=descriptor, paths=(NORMAL,))
    assert rule_of(document) == "register.terms"


def test_an_input_by_recovery_weighs_its_whole_witness():
    """Four empty items of the multisig, a signature, the public key that pkh asks for, and the script."""
    found = parsed(WSH)
    script = found.derive(0, 0).witness_script
    assert script is not None
    witness_wu = 1 + 3 + (1 + 72) + (1 + 33) + 1 + len(script)
    assert path_input_wu(found, terms().parties, RECOVERY) == pytest.approx(4 * 41 + witness_wu, abs=2)


def test_a_key_path_is_signed_by_the_internal_key_alone():
    """A party may stand in a leaf with another derivation; that key is no part of the key path."""
    key = MASTERS["a"].public()
    text = f"tr({key}/<0;1>/*,and_v(v:pk({key}/<2;3>/*),older(144)))"
    found = parsed(text)
    paths = (SpendingPath("key path", "signer", ("a",), 1), SpendingPath("later", "signer", ("a",), 1, 144, None, 0))
    document = terms(
        text,
        parties=(Party("a", "holder of a", f"{key}/<0;1>/*", "signer"),),
        paths=paths,
    )
    assert rule_of(document) == ""
    derived = found.derive(0, 0)
    assert [one[1:] for one in path_keys(document, paths[0], found, derived)] == [derived.internal_key]
    assert [one[1:] for one in path_keys(document, paths[1], found, derived)] == [derived.leaves[0].keys[0][1:]]
