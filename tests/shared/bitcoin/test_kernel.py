import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bitcoin.kernel import Judge, Verdict, failed_input, verify_input
from shared.bitcoin.script import p2tr, p2wpkh, p2wpkh_script_code
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import MAX_MONEY_SAT, OutPoint, Transaction, TxIn, TxOut
from shared.errors import BesError, BitcoinMalformed

VECTORS = Path(__file__).parent / "vectors"
CORE = json.loads((VECTORS / "core_tx.json").read_text())
BIP143 = [case for case in json.loads((VECTORS / "bip143.json").read_text()) if "signed" in case]

SECRET = b"\x07" * 32
KEY = public_key_of(SECRET)
SPENT = [TxOut(60_000, p2wpkh(KEY)), TxOut(50_000, p2tr(KEY[1:]))]
UNSIGNED = Transaction(
    2, (TxIn(OutPoint("11" * 32, 0)), TxIn(OutPoint("22" * 32, 3))), (TxOut(100_000, p2wpkh(KEY)),), 0
)


def signed():
    hashes = Sighasher(UNSIGNED, SPENT)
    ecdsa = sign_ecdsa(SECRET, hashes.segwit_v0(0, p2wpkh_script_code(SPENT[0].script))) + b"\x01"
    schnorr = sign_schnorr(SECRET, hashes.taproot(1), bytes(32))
    first, second = UNSIGNED.inputs
    return replace(UNSIGNED, inputs=(replace(first, witness=(ecdsa, KEY)), replace(second, witness=(schnorr,))))


SIGNED = signed()
RAW = SIGNED.raw
OTHER = [SPENT[0], replace(SPENT[1], amount_sat=50_001)]


@pytest.fixture(scope="module")
def judge():
    with Judge() as running:
        yield running


def test_good_inputs_are_taken():
    assert verify_input(SIGNED, SPENT, 0)
    assert verify_input(SIGNED, SPENT, 1)
    assert failed_input(SIGNED, SPENT) is None


def test_the_first_bad_input_is_named():
    assert not verify_input(UNSIGNED, SPENT, 0)
    assert failed_input(UNSIGNED, SPENT) == 0
    assert failed_input(SIGNED, OTHER) == 1, "the Taproot signature commits to all amounts"
    assert failed_input(SIGNED, [replace(SPENT[0], amount_sat=1), SPENT[1]]) == 0
    assert failed_input(SIGNED, SPENT[::-1]) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: verify_input(SIGNED, SPENT, 2),
        lambda: verify_input(SIGNED, SPENT, -1),
        lambda: failed_input(SIGNED, SPENT[:1]),
        lambda: failed_input(SIGNED, [*SPENT, SPENT[0]]),
        lambda: failed_input(SIGNED, []),
        lambda: failed_input(SIGNED, [SPENT[0], TxOut(-1, b"")]),
        lambda: failed_input(SIGNED, [SPENT[0], TxOut(MAX_MONEY_SAT + 1, b"")]),
    ],
)
def test_what_would_end_the_process_is_refused_before(wrong):
    with pytest.raises(BitcoinMalformed):
        wrong()


@pytest.mark.parametrize("case", BIP143, ids=lambda case: case["name"])
def test_signed_examples_of_bip_143(case):
    spent = [TxOut(amount_sat, bytes.fromhex(script)) for amount_sat, script in case["spent"]]
    assert failed_input(Transaction.parse(bytes.fromhex(case["signed"])), spent) is None


def core_case(raw, coins):
    transaction = Transaction.parse(bytes.fromhex(raw))
    known = {OutPoint(txid, vout % 2**32): TxOut(sat, bytes.fromhex(script)) for txid, vout, script, sat in coins}
    return transaction, [known[entry.outpoint] for entry in transaction.inputs]


def test_valid_transactions_of_bitcoin_core():
    for raw, coins in CORE["valid"]:
        assert failed_input(*core_case(raw, coins)) is None, raw
    assert len(CORE["valid"]) == 115


def test_invalid_transactions_of_bitcoin_core():
    for raw, coins in CORE["invalid"]:
        assert failed_input(*core_case(raw, coins)) is not None, raw
    assert len(CORE["invalid"]) == 70


def test_the_judge_accepts_and_refuses(judge):
    assert judge.accepts(RAW, SPENT) == Verdict(ok=True)
    refused = judge.accepts(RAW, OTHER)
    assert (refused.ok, refused.failed_input) == (False, 1)
    assert "input 1" in refused.reason


@pytest.mark.parametrize(
    ("raw", "spent"),
    [(RAW + b"\x00", SPENT), (RAW[:-1], SPENT), (b"", SPENT), (RAW, SPENT[:1]), (RAW, []), (RAW, [*SPENT, SPENT[0]])],
)
def test_what_cannot_be_judged_is_refused_and_the_judge_lives(judge, raw, spent):
    verdict = judge.accepts(raw, spent)
    assert not verdict.ok
    assert verdict.failed_input is None
    assert "bitcoin.malformed" in verdict.reason
    assert judge.accepts(RAW, SPENT).ok


def test_many_at_once_keep_their_order(judge):
    cases = [(RAW, SPENT if number % 3 else OTHER) for number in range(400)]
    assert [verdict.ok for verdict in judge.accepts_all(cases)] == [bool(number % 3) for number in range(400)]
    assert judge.accepts_all([]) == []


def test_large_questions_pass_the_pipe(judge):
    large = replace(SIGNED, outputs=(TxOut(0, b"\x6a" + bytes(90_000)),))
    assert [verdict.failed_input for verdict in judge.accepts_all([(large.raw, SPENT)] * 20)] == [0] * 20


def test_several_threads_get_their_own_answers(judge):
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(judge.accepts, RAW, SPENT if number % 2 else OTHER) for number in range(80)]
    assert [future.result().ok for future in asked] == [bool(number % 2) for number in range(80)]


def test_a_killed_judge_is_replaced():
    with Judge() as judge:
        assert judge.accepts(RAW, SPENT).ok
        process = judge._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert judge.accepts(RAW, SPENT).ok
        assert judge._process.pid != process.pid


def test_code_that_lies_around_is_not_run(tmp_path, monkeypatch):
    for name in ("shared", "msgspec", "pbk"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('taken from the working directory')")
    monkeypatch.chdir(tmp_path)
    with Judge() as judge:
        assert judge.accepts(RAW, SPENT) == Verdict(ok=True)


def test_an_idle_judge_ends_with_its_parent():
    with Judge() as judge:
        assert judge.accepts(RAW, SPENT).ok
        process = judge._process
        process.stdin.close()
        assert process.wait(10) == 0


# A judge that behaves like the real one but for the transactions whose bytes end in a given way.
_STAND_IN = """
import os, time
from shared.bitcoin import judge_process
from shared.bitcoin.judge_process import Finding
def judge(case):
    if case.raw.endswith(b"die"):
        os.abort()
    if case.raw.endswith(b"hang"):
        time.sleep(60)
    return Finding()
judge_process._judge = judge
judge_process.main()
"""


def stand_in(answer_s=20.0):
    return Judge((sys.executable, "-c", _STAND_IN), answer_s=answer_s)


def test_a_judge_that_dies_has_refused_only_what_killed_it():
    with stand_in() as judge:
        assert judge.accepts(b"die", []) == Verdict(ok=False, reason="the judge gave no verdict: it ended")
        assert judge.accepts(b"live", []).ok
        verdicts = judge.accepts_all([(b"live", []), (b"die", []), (b"live", [])])
        assert [verdict.ok for verdict in verdicts] == [True, False, True]


def test_a_judge_that_hangs_has_refused():
    with stand_in(answer_s=2.0) as judge:
        assert judge.accepts(b"live", []).ok
        verdict = judge.accepts(b"hang", [])
        assert not verdict.ok
        assert "silent" in verdict.reason
        assert judge.accepts(b"live", []).ok


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(1)",
        "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(bytes(4))",
        "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\xff' * 8)",
        "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\x01\\0\\0\\0\\x90')",
        "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\x02\\0\\0\\0\\x91\\x01')",
    ],
    ids=["leaves", "says nothing", "announces too much", "answers too few", "answers something else"],
)
def test_a_judge_that_talks_nonsense_has_refused(program):
    with Judge((sys.executable, "-c", program), answer_s=10.0) as judge:
        assert not judge.accepts(RAW, SPENT).ok


def test_a_judge_that_cannot_start_has_refused():
    with Judge(("/nonexistent/judge",)) as judge:
        verdict = judge.accepts(RAW, SPENT)
        assert not verdict.ok
        assert "No such file" in verdict.reason


def test_errors_never_leave_the_tree():
    for spent in ([], SPENT, SPENT * 2):
        for index in range(-2, 5):
            try:
                verify_input(SIGNED, spent, index)
            except BesError:
                continue
            assert spent == SPENT
            assert 0 <= index < 2
