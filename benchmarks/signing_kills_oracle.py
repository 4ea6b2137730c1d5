"""What people approved, boxes debited and signed, the node was handed and the chain holds: does it fit?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.signing_kills_books import ChainBook, LedgerBook
from benchmarks.signing_kills_listener import Heard
from benchmarks.signing_kills_payments import Payment
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction

QUORUM = 2
BURIED = 6

Session = tuple[str, int, frozenset[bytes]]
"""What a MuSig2 nonce is for: transaction, input, and the nonces of all."""


class Verdict(NamedTuple):
    """`lost_signatures` are transactions that enough boxes have signed and that are not in the chain;
    `false_confirmed` payments that were told as buried and are not; `broken_ledgers` boxes whose chain has a fault.
    """

    confirmed: int
    refused: int
    stuck: int
    unpaired_signatures: int
    double_debits: int
    double_broadcasts: int
    lost_signatures: int
    reused_nonces: int
    false_confirmed: int
    broken_ledgers: int
    signatures_in_ledgers: int
    signatures_heard: int
    signatures_in_chain: int
    musig_partials: int
    broadcast_calls: int

    @property
    def sound(self) -> bool:
        faults = (
            self.stuck,
            self.unpaired_signatures,
            self.double_debits,
            self.double_broadcasts,
            self.lost_signatures,
            self.reused_nonces,
            self.false_confirmed,
            self.broken_ledgers,
        )
        return not any(faults)


def judge(
    payments: Sequence[Payment],
    ledgers: Mapping[str, LedgerBook],
    chain: ChainBook,
    heard: Sequence[Heard],
    sent: Sequence[str],
) -> Verdict:
    """`ledgers` are by box, `sent` the transactions (hex) that the controller handed to the node."""
    nonces = _nonces(ledgers)
    buried = {txid for txid, depth in chain.depths.items() if depth >= BURIED}
    return Verdict(
        confirmed=sum(payment.txid in buried for payment in payments),
        refused=sum(payment.over and payment.txid not in buried for payment in payments),
        stuck=sum(not payment.over for payment in payments),
        unpaired_signatures=sum(1 for _ in _unpaired(ledgers, chain, heard)),
        double_debits=sum(len(rows) - 1 for book in ledgers.values() for rows in book.debits.values()),
        double_broadcasts=_double_broadcasts(payments, chain, sent),
        lost_signatures=len(_whole(ledgers) - chain.depths.keys()),
        reused_nonces=sum(len(sessions) > 1 for sessions in nonces.values()),
        false_confirmed=sum(payment.status == "buried" and payment.txid not in buried for payment in payments),
        broken_ledgers=sum(not book.whole for book in ledgers.values()),
        signatures_in_ledgers=sum(len(book.signed) for book in ledgers.values()),
        signatures_heard=len(heard),
        signatures_in_chain=sum(map(len, chain.signers.values())),
        musig_partials=len(nonces),
        broadcast_calls=len(sent),
    )


def _unpaired(ledgers: Mapping[str, LedgerBook], chain: ChainBook, heard: Iterable[Heard]) -> Iterator[str]:
    """Signatures, wherever they were found, without a debit of that box before them."""
    for one in heard:
        if not one.debited or not _told_by(ledgers[one.node], one):
            yield f"{one.node} sent {one.answer.txid}"
    for node, book in ledgers.items():
        for seq, answer in book.signed:
            if not any(row < seq for row in book.debits.get(answer.txid, ())):
                yield f"{node} signed {answer.txid}"
    for txid, nodes in chain.signers.items():
        yield from (f"{node} is in {txid}" for node in nodes if txid not in ledgers[node].debits)


def _told_by(book: LedgerBook, one: Heard) -> bool:
    """Does the row that the answer names stand in the ledger, behind the debit?"""
    seq, head = one.answer.ledger_seq, one.answer.ledger_head
    debits = book.debits.get(one.answer.txid, ())
    return 0 < seq <= len(book.digests) and book.digests[seq - 1] == head and any(row < seq for row in debits)


def _double_broadcasts(payments: Sequence[Payment], chain: ChainBook, sent: Iterable[str]) -> int:
    """Transactions of the node beyond the one that people approved for each payment."""
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for tx in (*(Transaction.parse(bytes.fromhex(raw)) for raw in sent), *chain.spends.values()):
        versions[tx.txid].add(tx.wtxid)
    approved = {payment.txid for payment in payments}
    strange = sum(len(found) for txid, found in versions.items() if txid not in approved)
    return strange + sum(len(found) - 1 for txid, found in versions.items() if txid in approved)


def _whole(ledgers: Mapping[str, LedgerBook]) -> set[str]:
    """Transactions that enough boxes have signed by the same way, by their own ledgers."""
    quorums: defaultdict[str, set[str]] = defaultdict(set)
    sessions: defaultdict[Session, set[str]] = defaultdict(set)
    inputs: dict[str, int] = {}
    for node, book in ledgers.items():
        for _, answer in book.signed:
            found = dict(_partials(Psbt.parse(answer.psbt), answer.txid))
            for session in found.values():
                sessions[session].add(node)
            if not found:
                quorums[answer.txid].add(node)
            inputs[answer.txid] = len(Psbt.parse(answer.psbt).inputs)
    summed: defaultdict[str, set[int]] = defaultdict(set)
    for (txid, index, _), nodes in sessions.items():
        if len(nodes) == len(ledgers):
            summed[txid].add(index)
    by_quorum = {txid for txid, nodes in quorums.items() if len(nodes) >= QUORUM}
    return by_quorum | {txid for txid, found in summed.items() if len(found) == inputs[txid]}


def _nonces(ledgers: Mapping[str, LedgerBook]) -> dict[bytes, set[Session]]:
    """By each public nonce that a partial signature was made with, what it was used for."""
    used: defaultdict[bytes, set[Session]] = defaultdict(set)
    for book in ledgers.values():
        for _, answer in book.signed:
            for nonce, session in _partials(Psbt.parse(answer.psbt), answer.txid):
                used[nonce].add(session)
    return used


def _partials(psbt: Psbt, txid: str) -> Iterator[tuple[bytes, Session]]:
    """(own public nonce, session) of each MuSig2 partial signature."""
    for index, entry in enumerate(psbt.inputs):
        for key in entry.musig_partial_signatures:
            yield entry.musig_nonces[key], (txid, index, frozenset(entry.musig_nonces.values()))
