from btclib.script.engine import sig_op_cost
from btclib.tx import Tx
from btclib.tx import TxOut as BtclibTxOut
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.script import Op, p2tr, p2wpkh, p2wsh, push
from shared.bitcoin.sigops import sigop_cost, sigops
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
MULTISIG = bytes((Op.TWO,)) + push(KEY) * 3 + bytes((Op.ONE + 2, Op.CHECKMULTISIG))


def cost(script, witness=(), script_sig=b""):
    """With one more of four by four in the output, which is P2PKH."""
    entry = TxIn(OutPoint("22" * 32, 0), script_sig, witness=witness)
    pays = TxOut(1, b"\x76\xa9\x14" + bytes(20) + b"\x88\xac")
    return sigop_cost(Transaction(2, (entry,), (pays,), 0), [TxOut(1, script)])


def test_what_an_input_costs_depends_on_where_its_script_stands():
    assert cost(b"\x51") == 4
    assert cost(p2wpkh(KEY)) == 5
    assert cost(p2wsh(MULTISIG), (b"", b"", b"", MULTISIG)) == 7
    assert cost(p2tr(KEY[1:]), (bytes(64),)) == 4
    p2sh = b"\xa9\x14" + bytes(20) + b"\x87"
    assert cost(p2sh, script_sig=push(MULTISIG)) == 16
    assert cost(p2sh, script_sig=push(p2wpkh(KEY))) == 5
    assert cost(p2sh, (MULTISIG,), push(p2wsh(MULTISIG))) == 7


def test_unknown_numbers_of_keys_count_as_twenty():
    assert sigops(MULTISIG) == 3
    assert sigops(MULTISIG, exact=False) == 20
    assert sigops(bytes((Op.CHECKMULTISIG,))) == 20
    assert sigops(bytes((Op.CHECKSIG,)) + b"\x4c\xff") == 1, "a broken push ends the count"


@given(
    st.lists(st.sampled_from([b"\xac", b"\xad", b"\xae", b"\xaf", b"\x51", b"\x60", b"\x02ab", b"\x4c"]), max_size=12)
)
def test_costs_are_those_of_btclib(parts):
    script = b"".join(parts)
    entry = TxIn(OutPoint("22" * 32, 0), script, witness=(b"", script))
    for spent in (p2wsh(script), p2wpkh(KEY), b"\xa9\x14" + bytes(20) + b"\x87"):
        transaction = Transaction(2, (entry,), (TxOut(1, script),), 0)
        theirs = sig_op_cost([BtclibTxOut(1, spent)], Tx.parse(transaction.raw))
        assert sigop_cost(transaction, [TxOut(1, spent)]) == theirs
