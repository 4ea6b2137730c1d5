"""Answers as rows of the ledger: what was told once is told again, word for word."""

import hashlib
from typing import TypeVar

import msgspec

from agent.signer.ledger import Entry, EntryKind, Note
from agent.signer.rule import REQUEST_REPLAY
from shared.errors import Denied
from shared.wire.codec import decode, encode
from shared.wire.signing import ForwardAnswer, ForwardRequest, SigningAnswer, SigningRequest

Request = SigningRequest | ForwardRequest
Answer = TypeVar("Answer", SigningAnswer, ForwardAnswer)

_ANSWERS = frozenset({EntryKind.ANSWER.value, EntryKind.REFUSAL.value})


def digest_of(request: Request) -> bytes:
    """Two requests are the same where every field is."""
    return hashlib.sha256(encode(request)).digest()


def stored_answer(rows: list[Entry], request: Request, kind: type[Answer]) -> Answer | None:
    """None where the request is new, or was debited by a life that ended before it answered.

    `request.replay` where the id came before with other content; that refusal, too, is a stored answer from then on, so
    that packets which are played again and again do not fill the disk.
    """
    digest = digest_of(request)
    told_before = next(
        (_told(row, kind) for row in rows if row.kind in _ANSWERS and row.request_digest == digest), None
    )
    if told_before is None and rows and rows[0].request_digest != digest:
        raise Denied(REQUEST_REPLAY, f"request {request.request_id} came before with other content")
    return told_before


def note_of(request: Request, answer: SigningAnswer | ForwardAnswer) -> Note:
    written = EntryKind.REFUSAL if answer.outcome == "refused" else EntryKind.ANSWER
    return Note(
        kind=written,
        subject=request.contract_id,
        request_id=request.request_id,
        request_digest=digest_of(request),
        txid=answer.txid or None,
        policy_version=request.policy_version,
        body=encode(answer),
    )


def told(answer: Answer, row: Entry) -> Answer:
    """The answer with the place of its own row."""
    return msgspec.structs.replace(answer, ledger_seq=row.seq, ledger_head=row.digest)


def _told(row: Entry, kind: type[Answer]) -> Answer:
    return told(decode(row.body, kind), row)
