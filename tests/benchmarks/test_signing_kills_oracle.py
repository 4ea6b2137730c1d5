"""The oracle of the signing kills: it must catch every fault that it promises to count."""

import sqlite3
from contextlib import closing

import pytest

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import EntryKind, Ledger, Note, Spend
from benchmarks.signing_kills_books import ChainBook, LedgerBook, read_ledger
from benchmarks.signing_kills_contracts import Spendable
from benchmarks.signing_kills_listener import Heard
from benchmarks.signing_kills_oracle import judge
from benchmarks.signing_kills_payments import Payment
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.value import MusigKey
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.wire.codec import encode
from shared.wire.contract import Limits
from shared.wire.signing import SigningAnswer

BOXES = ("a", "b", "c")
CONTRACT = Spendable("c" * 64, "signers", b"", dict.fromkeys(BOXES, ""))
KEYS = [public_key_of(bytes(31) + bytes((number,))) for number in range(1, 12)]
LIMITS = Limits(10_000, 100_000, 144, 100_000, 10_000, 100, 400_000)
NOW = ChainTime(800_000, 1_700_000_000)


def transaction(number=1, witness=()):
    inputs = (TxIn(OutPoint("aa" * 32, number), witness=witness),)
    return Transaction(2, inputs, (TxOut(1_000, p2wpkh(KEYS[0])),), 0)


TX = transaction()
SENT = transaction(witness=(b"\x01",))


def psbt(tx=TX, musig=None):
    """With a partial signature by each `(key, own nonce, all nonces)`."""
    entry = PsbtInput()
    if musig is not None:
        own, nonces = musig
        named = {MusigKey(KEYS[place], KEYS[10]): nonce for place, nonce in enumerate(nonces)}
        entry = PsbtInput(musig_nonces=named, musig_partial_signatures={MusigKey(KEYS[own], KEYS[10]): b"\x01" * 32})
    return Psbt(version=0, tx=tx, inputs=(entry,), outputs=(PsbtOutput(),)).raw


def nonce(number):
    return KEYS[number] + KEYS[number + 1]


def answer(box, tx=TX, *, seq=2, head=b"2", musig=None):
    return SigningAnswer(
        request_id="request-1",
        box_id=box,
        txid=tx.txid,
        outcome="signed",
        psbt=psbt(tx, musig),
        ledger_seq=seq,
        ledger_head=head,
    )


def ledger(*signed, debits=(TX.txid,), whole=True):
    return LedgerBook(whole, {txid: [1] for txid in debits}, [(2, one) for one in signed], [b"1", b"2"])


def verdict(*, books=None, spends=None, signers=BOXES[:2], heard=None, sent=(SENT,), payments=None):
    books = {box: ledger(answer(box)) for box in BOXES} if books is None else books
    spends = {SENT.txid: SENT} if spends is None else spends
    chain = ChainBook(spends, dict.fromkeys(spends, frozenset(signers)), dict.fromkeys(spends, 6))
    heard = [Heard("a", answer("a"), True)] if heard is None else heard
    paid = [Payment(1, CONTRACT, "s-1", TX.txid, "buried")] if payments is None else payments
    return judge(paid, books, chain, heard, [tx.raw.hex() for tx in sent])


def test_a_run_as_it_should_be():
    found = verdict()
    assert (found.confirmed, found.refused, found.stuck) == (1, 0, 0)
    assert found.sound


OTHER = transaction(2)
UNDEBITED = {"a": ledger(answer("a"), debits=()), "b": ledger(answer("b")), "c": ledger()}
DOUBLED = {"a": LedgerBook(True, {TX.txid: [1, 2]}, [], []), "b": ledger(), "c": ledger()}
TORN = {"a": ledger(whole=False), "b": ledger(), "c": ledger()}
TWICE = {
    "a": ledger(answer("a", musig=(0, [nonce(0), nonce(2)])), answer("a", musig=(0, [nonce(0), nonce(4)]))),
    "b": ledger(),
    "c": ledger(),
}


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("unpaired_signatures", {"heard": [Heard("a", answer("a"), False)]}),
        ("unpaired_signatures", {"heard": [Heard("a", answer("a", head=b"x"), True)]}),
        ("unpaired_signatures", {"heard": [Heard("a", answer("a", seq=1, head=b"1"), True)]}),
        ("unpaired_signatures", {"books": UNDEBITED, "signers": (), "heard": []}),
        ("unpaired_signatures", {"books": {**UNDEBITED, "a": ledger(debits=())}, "heard": []}),
        ("double_debits", {"books": DOUBLED, "heard": []}),
        ("broken_ledgers", {"books": TORN}),
        ("reused_nonces", {"books": TWICE}),
        ("double_broadcasts", {"sent": (SENT, OTHER)}),
        ("double_broadcasts", {"sent": (SENT, transaction(witness=(b"\x02",)))}),
        ("lost_signatures", {"spends": {}, "payments": [Payment(1, CONTRACT, "s-1", TX.txid, "refused")]}),
        ("false_confirmed", {"spends": {}}),
        ("stuck", {"payments": [Payment(1, CONTRACT, "s-1", TX.txid, "signing")]}),
    ],
)
def test_each_fault_is_counted(fault, change):
    found = verdict(**change)
    assert getattr(found, fault) == 1
    assert not found.sound


def test_partial_signatures_are_lost_only_where_one_session_has_them_all():
    """Of three rounds that each lost one, nobody can make a signature."""
    nobody = {"spends": {}, "payments": [], "heard": [], "sent": ()}
    rounds = [[nonce(place + offset) for offset in range(3)] for place in (0, 3, 6)]
    apart = {box: ledger(answer(box, musig=(own, rounds[own]))) for own, box in enumerate(BOXES)}
    assert verdict(books=apart, **nobody).lost_signatures == 0
    together = {box: ledger(answer(box, musig=(own, rounds[0]))) for own, box in enumerate(BOXES)}
    assert verdict(books=together, **nobody).lost_signatures == 1


async def test_a_ledger_is_read_by_its_own_chain(tmp_path):
    path = tmp_path / "ledger.db"
    book = Ledger(path, box_id="box-a", boot_id="boot-1")
    await book.open()
    spend = Spend(
        contract_id="c" * 64,
        request_id="request-1",
        request_digest=b"d" * 32,
        txid=TX.txid,
        external_sat=900,
        external_digest=b"e" * 32,
        fee_sat=100,
        outpoints=("aa:1",),
        policy_version=1,
        reserved_until_height=801_000,
    )
    await book.debit(spend, LIMITS, NOW)
    await book.record(Note(kind=EntryKind.ANSWER, txid=TX.txid, body=encode(answer("a"))), NOW)
    await book.close()
    found = read_ledger(path, "box-a")
    assert (found.whole, found.debits, [seq for seq, _ in found.signed]) == (True, {TX.txid: [2]}, [3])
    assert not read_ledger(path, "box-b").whole
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("DROP TRIGGER entry_is_final")
        file.execute("UPDATE entry SET debit_sat = 1, spent_sat = 1 WHERE seq = 2")
    assert not read_ledger(path, "box-a").whole
