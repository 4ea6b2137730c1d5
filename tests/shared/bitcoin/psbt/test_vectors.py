"""The official vectors of BIP-174, 370, 371 and 373."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bitcoin.consensus import failed_input
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.merge import merge
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.signable import assert_signable
from shared.errors import BitcoinMalformed

VECTORS = {
    number: json.loads((Path(__file__).parent.parent / "vectors" / f"bip{number}.json").read_text())
    for number in (174, 370, 371, 373)
}

# What the BIPs allow and this suite does not: nothing to sign, and flags whose meaning nobody knows.
REFUSED_HERE = {
    "PSBT with global unsigned tx that has 0 inputs and 0 outputs": "no inputs",
    "PSBT with 0 inputs": "no inputs",
    "1 input, 2 output updated PSBTv2, with an undefined flag (bit 3) of "
    "PSBT_GLOBAL_TX_MODIFIABLE set": "not all known",
    "1 input, 2 output updated PSBTv2, with all possible PSBT_GLOBAL_TX_MODIFIABLE flags set": "not all known",
}


def cases(kind: str) -> list[object]:
    return [
        pytest.param(case, id=f"{number}: {case['name']}")
        for number, groups in VECTORS.items()
        for case in groups.get(kind, [])
    ]


@pytest.mark.parametrize("case", cases("valid"))
def test_a_valid_psbt_is_read_and_written_byte_by_byte(case):
    raw = base64.b64decode(case["psbt"])
    refusal = next((why for name, why in REFUSED_HERE.items() if case["name"] == name), None)
    if refusal is not None:
        with pytest.raises(BitcoinMalformed, match=refusal):
            Psbt.parse(raw)
        return
    psbt = Psbt.parse(raw)
    assert psbt.raw == raw
    assert Psbt.parse(raw, quick=True) == psbt
    assert Psbt.parse_base64(case["psbt"]) == psbt
    assert psbt.base64 == case["psbt"]


@pytest.mark.parametrize("case", cases("invalid"))
@pytest.mark.parametrize("quick", [True, False])
def test_an_invalid_psbt_is_refused_by_our_own_reader(case, quick):
    with pytest.raises(BitcoinMalformed):
        Psbt.parse(base64.b64decode(case["psbt"]), quick=quick)


@pytest.mark.parametrize("case", cases("unsignable"))
def test_a_psbt_whose_scripts_do_not_fit_is_read_and_not_signed(case):
    psbt = Psbt.parse_base64(case["psbt"])
    with pytest.raises(BitcoinMalformed, match="psbt input"):
        assert_signable(psbt)


@pytest.mark.parametrize("case", cases("lock_time"))
def test_the_inputs_decide_the_lock_time_together(case):
    if case["lock_time"] is None:
        with pytest.raises(BitcoinMalformed, match="none fits both"):
            Psbt.parse_base64(case["psbt"])
        return
    assert Psbt.parse_base64(case["psbt"]).tx.lock_time == case["lock_time"]


def test_the_roles_of_bip_174_come_to_its_psbts_and_its_transaction():
    """Two signers, combiner, finaliser and extractor. Its first input is bare P2SH, which we do not finalise."""
    roles = VECTORS[174]["roles"]
    first, second = (Psbt.parse_base64(text) for text in roles["signers"])
    unsigned = replace(first, inputs=tuple(replace(entry, partial_signatures={}) for entry in first.inputs))
    combined = merge(merge(unsigned, first), second)
    assert combined == Psbt.parse_base64(roles["combined"])  # which has two signatures in the order of their coming
    with pytest.raises(BitcoinMalformed, match="input 0: it spends an output of the kind other"):
        finalise(combined)
    finalised = Psbt.parse_base64(roles["finalised"])
    ours = replace(combined, inputs=(finalised.inputs[0], combined.inputs[1]))
    for psbt in (finalised, ours):
        assert finalise(psbt).raw.hex() == roles["transaction"]
    spent = [
        entry.witness_utxo or entry.previous_tx.outputs[one.outpoint.vout]
        for entry, one in zip(first.inputs, first.tx.inputs, strict=True)
    ]
    assert failed_input(finalise(ours), spent) is None
