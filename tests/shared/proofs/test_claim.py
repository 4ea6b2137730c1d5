"""What is true of hidden energy can be proven to somebody who has nothing but Python, and nothing else can."""

import contextlib
import copy
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from ecc.ecc import rangeproof
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from shared.errors import BitcoinMalformed, ClaimImpossible, DecodeFailed, SignatureInvalid
from shared.proofs import verifier
from shared.proofs.claim import Kind, Statement, claim
from shared.proofs.commitment import HIGHEST, ORDER, commit, generator, range_proof
from shared.proofs.slot import GENESIS, Opening, Series, signed_slot

KEY, OWNER = SigningKey(b"k" * 32), PrivateKey(b"o" * 32)
NODE = bytes(KEY.verify_key)
ENERGY_WH = {100: 41_000, 101: 0, 102: 39_500, 103: 42_250}
OPENINGS = {slot: Opening.fresh(wh) for slot, wh in ENERGY_WH.items()}
TOTAL_WH = sum(ENERGY_WH.values())


def statement(kind=Kind.AT_MOST, bound=TOTAL_WH + 5, **changes):
    given_ = {"site": "texas-1", "meter": "meter-site", "interval_s": 3600, "first_slot": 100, "last_slot": 103}
    said = {"kind": kind, "bound": bound, "nonce": "auditor-7", "expires": "2027-01-31"}
    return Statement(**(given_ | said | changes))


def slots(openings=None, key=KEY):
    series, previous, signed = Series("texas-1", "meter-site", 3600), GENESIS, []
    for slot, opening in (openings or OPENINGS).items():
        signed.append(signed_slot(series, slot, opening, previous, key))
        previous = signed[-1].digest(series)
    return signed


def document(**changes):
    return json.loads(json.dumps(claim(statement(**changes), slots(), OPENINGS)))


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        (Kind.AT_MOST, TOTAL_WH),
        (Kind.AT_MOST, TOTAL_WH + 1_000_000),
        (Kind.AT_LEAST, TOTAL_WH),
        (Kind.AT_LEAST, 1),
        (Kind.EXACTLY, TOTAL_WH),
    ],
)
def test_what_is_true_is_proven(kind, bound):
    said = verifier.check(document(kind=kind, bound=bound), NODE, "auditor-7")
    assert f"{bound:,} Wh" in said
    assert "meter-site at texas-1" in said


@pytest.mark.parametrize(
    ("kind", "bound"), [(Kind.AT_MOST, TOTAL_WH - 1), (Kind.AT_LEAST, TOTAL_WH + 1), (Kind.EXACTLY, TOTAL_WH + 1)]
)
def test_nobody_can_claim_what_is_not_true(kind, bound):
    with pytest.raises(ClaimImpossible, match=str(TOTAL_WH)):
        claim(statement(kind=kind, bound=bound), slots(), OPENINGS)


def test_a_slot_that_is_missing_is_never_zero():
    with pytest.raises(ClaimImpossible, match="every slot"):
        claim(statement(), slots()[1:], OPENINGS)
    unknown = {slot: opening for slot, opening in OPENINGS.items() if slot != 101}
    with pytest.raises(ClaimImpossible, match="slot 101"):
        claim(statement(), slots(), unknown)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("statement", "bound"), TOTAL_WH + 4, "range proof"),
        (("statement", "kind"), "at-least", "range proof"),
        (("statement", "nonce"), "another", "nonce"),
        (("statement", "expires"), "2099-01-31", "range proof"),
        (("statement", "last_slot"), 102, "slots are not"),
        (("statement", "site"), "texas-2", "not signed"),
        (("statement", "meter"), "other", "not signed"),
        (("statement", "interval_s"), 900, "not signed"),
        (("statement", "unit"), "kWh", "not signed"),
        (("statement", "bound"), -1, "whole number"),
        (("statement", "bound"), 2**52, "whole number"),
        (("statement", "kind"), "about", "one of"),
        (("slots", 1, "slot"), 100, "slots are not"),
        (("slots", 1, "previous"), GENESIS, "not signed"),
        (("slots", 1, "commitment"), commit(0, 7, "Wh").hex(), "not signed"),
        (("slots", 1, "signature"), "00" * 64, "not signed"),
        (("proof",), "4033" + "00" * 4164, "not on the curve"),
        (("proof",), "", "bytes"),
    ],
)
def test_a_changed_claim_is_refused(path, value, reason):
    changed = document()
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(verifier.Refused, match=reason):
        verifier.check(changed, NODE, "auditor-7")


def test_slots_of_two_chains_do_not_make_one():
    changed = document()
    foreign = slots({99: Opening.fresh(1), **OPENINGS})[3]  # slot 102, signed by the same node in another chain
    changed["slots"][2] = msgspec.to_builtins(foreign)
    with pytest.raises(verifier.Refused, match="does not follow"):
        verifier.check(changed, NODE)


def test_another_node_is_refused():
    with pytest.raises(verifier.Refused, match="not signed"):
        verifier.check(document(), bytes(SigningKey(b"x" * 32).verify_key))


def test_an_opening_opens_nothing_else():
    changed = document(kind=Kind.EXACTLY, bound=TOTAL_WH)
    changed["statement"]["bound"] += 1
    with pytest.raises(verifier.Refused, match="open"):
        verifier.check(changed, NODE)


@settings(max_examples=20, deadline=None)
@given(value=st.integers(0, HIGHEST), secret=st.integers(1, ORDER - 1), at=st.integers(2, 4165))
def test_the_range_proof_holds_as_another_implementation_says(value, secret, at):
    hidden = verifier.commitment(commit(value, secret, "Wh"))
    proof = range_proof(value, secret, "Wh", b"n" * 32, b"said")
    assert verifier.range_holds(proof, hidden, verifier.generator("Wh"), b"said")
    assert rangeproof.verify(hidden, proof, verifier.generator("Wh"), extra_commit=b"said")
    bent = bytearray(proof)
    bent[at] ^= 1
    with contextlib.suppress(verifier.Refused):  # where a bent point is no point any more
        assert not verifier.range_holds(bytes(bent), hidden, verifier.generator("Wh"), b"said")


@given(first=st.integers(0, 2**40), second=st.integers(0, 2**40))
def test_commitments_add_up_as_their_values_do(first, second):
    total = verifier.add(verifier.commitment(commit(first, 5, "Wh")), verifier.commitment(commit(second, 9, "Wh")))
    assert total == verifier.commitment(commit(first + second, 14, "Wh"))


def test_units_have_generators_of_their_own():
    assert len({generator(unit) for unit in ("Wh", "sat", "kWh")}) == 3
    assert commit(1, 1, "Wh") != commit(1, 1, "sat")


def test_an_opening_is_for_its_owner_alone():
    sealed = OPENINGS[100].sealed(OWNER.public_key)
    assert Opening.unsealed(sealed, OWNER) == OPENINGS[100]
    with pytest.raises(SignatureInvalid, match="sealed"):
        Opening.unsealed(sealed, PrivateKey.generate())
    with pytest.raises(SignatureInvalid):
        Opening.unsealed(sealed[:-1], OWNER)
    with pytest.raises(DecodeFailed):
        Opening.unsealed(SealedBox(OWNER.public_key).encrypt(b"no opening"), OWNER)


def test_two_openings_of_one_energy_show_nothing_alike():
    assert Opening.fresh(7).blinding != Opening.fresh(7).blinding


@pytest.mark.parametrize("value", [-1, HIGHEST + 1])
def test_what_the_range_proof_cannot_cover_is_not_committed(value):
    with pytest.raises(BitcoinMalformed, match="cannot be committed"):
        commit(value, 1, "Wh")


def test_the_verifier_runs_alone(tmp_path):
    alone = tmp_path / "verifier.py"
    alone.write_bytes(Path(verifier.__file__).read_bytes())
    good, bad, garbage = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "garbage.json"
    good.write_text(json.dumps(document()))
    changed = copy.deepcopy(document())
    changed["statement"]["bound"] += 1
    bad.write_text(json.dumps(changed))
    garbage.write_text('{"statement": 7}')

    def answer(file):
        words = [sys.executable, "-I", "-S", str(alone), str(file), "--key", NODE.hex(), "--nonce", "auditor-7"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout

    assert answer(good) == (
        0,
        f"PROVEN: meter-site at texas-1: at most {TOTAL_WH + 5:,} Wh in slots 100 to 103 of 3600 s\n",
    )
    code, said = answer(bad)
    assert (code, said[:10]) == (1, "NOT PROVEN")
    code, said = answer(garbage)
    assert (code, said[:16]) == (2, "This is no claim")
