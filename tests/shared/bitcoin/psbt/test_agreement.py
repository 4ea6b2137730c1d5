"""A reader that sees something else stops everything. Real disagreements, and readers that lie."""

from dataclasses import replace

import pytest
import wallycore

from shared.bitcoin.psbt import Psbt, PsbtInput, agreement
from shared.bitcoin.psbt.build import to_v2
from shared.bitcoin.psbt.scan import scan
from shared.bitcoin.transaction import OutPoint, TxIn
from shared.errors import BitcoinDisagreement


@pytest.fixture
def psbt(treasury):
    return treasury.spending(treasury.descriptor("wsh(multi(2,<A>,<B>,<C>))"))


def test_what_wallycore_refuses_is_no_psbt(psbt):
    odd = replace(psbt, inputs=(replace(psbt.inputs[0], unknown={b"\x99": b""}), psbt.inputs[1]))
    for quick in (True, False):
        with pytest.raises(BitcoinDisagreement, match="wallycore refuses"):
            Psbt.parse(odd.raw, quick=quick)


def test_what_btclib_refuses_is_no_psbt_on_the_long_way(psbt):
    entry = psbt.inputs[0]
    origin = next(iter(entry.derivations.values()))
    same = replace(entry, derivations=dict.fromkeys(entry.derivations, origin))
    odd = replace(psbt, inputs=(same, psbt.inputs[1]))
    assert Psbt.parse(odd.raw, quick=True) == odd
    with pytest.raises(BitcoinDisagreement, match=r"btclib refuses .* Duplicated key origin"):
        Psbt.parse(odd.raw)


def test_what_wallycore_cannot_write_is_no_psbt(psbt):
    tx = replace(psbt.tx, inputs=(TxIn(OutPoint("00" * 32, 0)),))
    odd = Psbt(version=2, tx=tx, inputs=(PsbtInput(),), outputs=psbt.outputs)
    with pytest.raises(BitcoinDisagreement, match="cannot write"):
        Psbt.parse(odd.raw)


def test_flags_that_allow_nothing_may_be_said_or_left_out(psbt):
    for flags in (None, 0, 1, 7):
        odd = replace(to_v2(psbt), modifiable=flags)
        assert Psbt.parse(odd.raw) == odd


def test_another_transaction_is_noticed(psbt):
    with pytest.raises(BitcoinDisagreement, match="wallycore reads another transaction"):
        agreement.tx_agrees(psbt.raw, replace(psbt.tx, lock_time=1))


@pytest.mark.parametrize("reader", ["wallycore", "btclib"])
def test_a_field_that_a_reader_loses_or_changes_is_noticed(psbt, monkeypatch, reader):
    entry = psbt.inputs[0]
    for changed in ({"witness_script": None}, {"witness_script": b"\x51"}, {"sighash_type": 1}):
        lie = replace(psbt, inputs=(replace(entry, **changed), psbt.inputs[1])).raw
        with monkeypatch.context() as patch:
            if reader == "wallycore":
                patch.setattr(wallycore, "psbt_to_bytes", lambda *_, lie=lie: lie)
            else:
                patch.setattr(agreement.BtclibPsbt, "serialize", lambda _, lie=lie, **_options: lie)
            with pytest.raises(BitcoinDisagreement, match=f"input 0: {reader} reads the field"):
                agreement.fields_agree(psbt.raw, scan(psbt.raw), psbt.tx)
