from dataclasses import replace
from pathlib import Path

import pytest
import wallycore
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.compact_size import Reader, compact_size, compact_size_length
from shared.bitcoin.transaction import MAX_MONEY_SAT, OutPoint, Transaction, TxIn, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

BLOCK = Path(__file__).parents[4] / "shared" / "data" / "chain" / "mainnet_413567.raw"

outpoints = st.builds(OutPoint, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 2**32 - 1))
witnesses = st.lists(st.binary(max_size=300), max_size=4).map(tuple)
inputs = st.builds(TxIn, outpoints, st.binary(max_size=300), st.integers(0, 2**32 - 1), witnesses)
outputs = st.builds(TxOut, st.integers(0, MAX_MONEY_SAT), st.binary(max_size=300))
transactions = st.builds(
    Transaction,
    st.integers(0, 2**32 - 1),
    st.lists(inputs, min_size=1, max_size=4).map(tuple),
    st.lists(outputs, min_size=1, max_size=4).map(tuple),
    st.integers(0, 2**32 - 1),
)

PLAIN = Transaction(2, (TxIn(OutPoint("11" * 32, 1)),), (TxOut(5_000, b"\x51"),), 7)
SIGNED = replace(PLAIN, inputs=(replace(PLAIN.inputs[0], witness=(b"signature", b"")),))


@given(transactions)
def test_what_is_written_is_read_back(transaction):
    found = Transaction.parse(transaction.raw)
    assert found == transaction
    assert replace(found).raw == transaction.raw, "written anew, not kept from reading"
    assert (found.txid, found.wtxid, found.weight_wu) == (transaction.txid, transaction.wtxid, transaction.weight_wu)


@given(transactions, st.data())
def test_a_transaction_cut_short_is_refused(transaction, data):
    length = data.draw(st.integers(0, len(transaction.raw) - 1))
    with pytest.raises(BitcoinMalformed):
        Transaction.parse(transaction.raw[:length])


@pytest.mark.parametrize("transaction", [PLAIN, SIGNED], ids=["plain", "signed"])
def test_every_length_but_its_own_is_refused(transaction):
    for length in range(len(transaction.raw)):
        with pytest.raises(BitcoinMalformed):
            Transaction.parse(transaction.raw[:length])
    for byte in range(256):
        with pytest.raises(BitcoinMalformed):
            Transaction.parse(transaction.raw + bytes((byte,)))


@given(transactions, st.data())
def test_a_changed_byte_is_refused_or_changes_the_meaning(transaction, data):
    at = data.draw(st.integers(0, len(transaction.raw) - 1))
    raw = bytearray(transaction.raw)
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = Transaction.parse(bytes(raw))
    except BitcoinMalformed:
        return
    assert found != transaction
    assert replace(found).raw == raw


def test_sizes_are_those_of_bip_141():
    assert (len(SIGNED.base), len(SIGNED.raw)) == (4 + 1 + 41 + 1 + 8 + 2 + 4, 61 + 2 + 1 + 10 + 1)
    assert SIGNED.weight_wu == 3 * 61 + 75
    assert SIGNED.vsize_vb == 65  # 64.5
    assert SIGNED.txid == PLAIN.txid
    assert SIGNED.wtxid != PLAIN.wtxid == PLAIN.txid


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (PLAIN.raw[:4] + b"\x00\x01" + PLAIN.raw[4:-4] + b"\x00" + PLAIN.raw[-4:], "marked as having a witness"),
        (PLAIN.raw[:4] + b"\x00\x02" + SIGNED.raw[6:], "no inputs"),
        (PLAIN.raw[:4] + b"\xfd\x01\x00" + PLAIN.raw[5:], "not shortest"),
        (PLAIN.raw.replace((5_000).to_bytes(8, "little"), (MAX_MONEY_SAT + 1).to_bytes(8, "little")), "all coins"),
        (PLAIN.raw.replace((5_000).to_bytes(8, "little"), b"\xff" * 8), "all coins"),
        (PLAIN.raw[:4] + b"\xff" + b"\xff" * 8, "cannot follow"),
        (PLAIN.raw[:41] + b"\xfe\xff\xff\xff\xff" + PLAIN.raw[42:], "announced"),
        (b"", "announced"),
        (bytes(4_000_001), "no block holds"),
    ],
)
def test_what_is_wrong_is_told(raw, words):
    with pytest.raises(BitcoinMalformed, match=words):
        Transaction.parse(raw)


def test_another_reading_by_wallycore_is_a_disagreement(monkeypatch):
    monkeypatch.setattr(wallycore, "tx_get_txid", lambda _: bytes(32))
    with pytest.raises(BitcoinDisagreement):
        Transaction.parse(PLAIN.raw)


@given(st.integers(0, 2**64 - 1))
def test_a_compact_size_is_read_back(value):
    raw = compact_size(value)
    assert len(raw) == compact_size_length(value)
    assert Reader(raw, "number").compact_size() == value


@pytest.mark.parametrize("value", [0, 0xFC, 0xFD, 0xFFFF, 0x10000, 0xFFFF_FFFF])
def test_longer_forms_of_a_compact_size_are_refused(value):
    for first, width in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if 1 + width > compact_size_length(value) and value < 1 << 8 * width:
            with pytest.raises(BitcoinMalformed, match="not shortest"):
                Reader(bytes((first,)) + value.to_bytes(width, "little"), "number").compact_size()


@pytest.mark.skipif(not BLOCK.exists(), reason=f"the real block {BLOCK.name} is not on this machine")
def test_every_transaction_of_a_real_block_is_read_and_written_as_it_stands():
    raw = BLOCK.read_bytes()
    reader = Reader(raw, "block")
    header = reader.take(80)
    count = reader.compact_size()
    assert count == 1557
    at = reader.position
    ids = []
    for _ in range(count):
        length = wallycore.tx_get_length(wallycore.tx_from_bytes(raw[at:], 0), wallycore.WALLY_TX_FLAG_USE_WITNESS)
        found = Transaction.parse(raw[at : at + length])
        assert replace(found).raw == raw[at : at + length]
        ids.append(bytes.fromhex(found.txid)[::-1])
        at += length
    assert at == len(raw)
    assert merkle_root(ids) == header[36:68], "the ids are those that miners committed to"


def merkle_root(nodes):
    while len(nodes) > 1:
        if len(nodes) % 2:
            nodes.append(nodes[-1])
        pairs = (left + right for left, right in zip(nodes[::2], nodes[1::2], strict=True))
        nodes = [bytes(wallycore.sha256d(pair)) for pair in pairs]
    return nodes[0]
