"""Sessions of MuSig2 in the official PSBTs of BIP-373, up to signatures that the consensus code accepts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bitcoin.consensus import failed_input
from shared.bitcoin.psbt import LeafKey, MusigKey, Psbt
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.musig import session, summed
from shared.bitcoin.sighash import Sighasher
from shared.errors import BitcoinMalformed

VALID = json.loads((Path(__file__).parent.parent / "vectors" / "bip373.json").read_text())["valid"]
COMPLETE = [
    pytest.param(Psbt.parse_base64(case["psbt"]), id=case["name"])
    for case in VALID
    if case["name"].endswith("with all partial signatures")
]


def parts(psbt):
    entry = psbt.inputs[0]
    return entry, Sighasher(psbt.tx, [one.spent for one in psbt.inputs])


@pytest.mark.parametrize("psbt", COMPLETE)
def test_complete_sessions_are_summed_up(psbt):
    entry, hasher = parts(psbt)
    key = next(iter(entry.musig_partial_signatures))
    found = summed(entry, 0, hasher)
    if key.leaf_hash is None:
        assert len(found.tap_key_signature) == 64
    else:
        assert set(found.tap_script_signatures) == {LeafKey(key.aggregate[1:], key.leaf_hash)}
    whole = replace(psbt, inputs=(found, *psbt.inputs[1:]))
    final = finalise(psbt)
    assert finalise(whole) == final
    assert failed_input(final, [one.spent for one in psbt.inputs]) is None


@pytest.mark.parametrize("psbt", COMPLETE)
def test_each_partial_signature_is_checked_by_its_session(psbt):
    entry, hasher = parts(psbt)
    key = next(iter(entry.musig_partial_signatures))
    leaf = next((one.script for one in entry.tap_leaf_scripts.values()), None) if key.leaf_hash else None
    found = session(entry, key.aggregate, key.leaf_hash, hasher.taproot(0, leaf_script=leaf))
    for index, participant in enumerate(found.aggregate.public_keys):
        partial = entry.musig_partial_signatures[MusigKey(participant, key.aggregate, key.leaf_hash)]
        assert found.verify(index, partial)
        assert not found.verify(index, partial[:-1] + bytes((partial[-1] ^ 1,)))


@pytest.mark.parametrize("psbt", COMPLETE)
def test_an_incomplete_session_waits(psbt):
    entry, hasher = parts(psbt)
    first = next(iter(entry.musig_partial_signatures))
    for field in ("musig_partial_signatures", "musig_nonces"):
        left = {key: value for key, value in getattr(entry, field).items() if key != first}
        short = replace(entry, **{field: left})
        assert summed(short, 0, hasher) == short


def test_a_key_that_no_participants_make_is_refused():
    (psbt,) = COMPLETE[1].values
    entry, hasher = parts(psbt)
    other = bytes([2, *bytes(31), 1])
    strange = {key._replace(aggregate=other): one for key, one in entry.musig_partial_signatures.items()}
    with pytest.raises(BitcoinMalformed, match="no participants that the input names"):
        summed(replace(entry, musig_partial_signatures=strange), 0, hasher)
