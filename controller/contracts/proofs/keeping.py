"""Keeps claims that were made with the owner's key, which no controller has: checked as whoever asked would."""

import asyncio
import hashlib
import json
from typing import Any

import msgspec

from controller.contracts.proofs.book import KeptClaim, ProofBook
from controller.contracts.proofs.event import CLAIMS, ClaimKept
from controller.contracts.proofs.refusal import ProofRefusal
from controller.contracts.proofs.service import CODEC
from controller.journal import Journal
from shared.errors import Denied, Malformed
from shared.proofs import verifier
from shared.proofs.claim import Statement

MOST_SLOTS = 10_000


class ClaimKeeper:
    """`book` is the read model; Denied carries the rule's id of every refusal."""

    def __init__(self, journal: Journal) -> None:
        self.book = ProofBook()
        self._journal = journal
        journal.subscribe(self.book.fold)

    async def keep(self, document: bytes, *, actor: str) -> KeptClaim:
        """Check and keep what `bes claim prove` wrote. Malformed, `claim.foreign-node`, `claim.not-sound`,
        `claim.known`.
        """
        claim = _read(document)
        statement, node_key = _statement(claim), str(claim.get("node_key", ""))
        text = json.dumps(claim, sort_keys=True, separators=(",", ":"))
        claim_id = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self.book.claim(claim_id) is not None:
            raise Denied(ProofRefusal.KNOWN, "this very claim is kept already")
        if node_key not in self.book.node_keys(statement.series):
            detail = f"no node that committed to {statement.meter} at {statement.site} has this key"
            raise Denied(ProofRefusal.FOREIGN_NODE, detail)
        fact = ClaimKept(
            claim_id=claim_id,
            sentence=await asyncio.to_thread(_proven, claim, node_key),
            series=statement.series,
            slots=statement.last_slot - statement.first_slot + 1,
            nonce=statement.nonce,
            expires=statement.expires,
            node_key=node_key,
            document=text,
        )
        await self._journal.append(CLAIMS, [CODEC.encode(fact, actor)])
        return self.get(claim_id)

    def get(self, claim_id: str) -> KeptClaim:
        found = self.book.claim(claim_id)
        if found is None:
            raise Denied(ProofRefusal.UNKNOWN, f"there is no claim {claim_id!r}")
        return found


def _read(document: bytes) -> dict[str, Any]:
    try:
        claim = json.loads(document)
    except ValueError as error:
        raise Malformed("this is no claim: hand in the file that 'bes claim prove' wrote") from error
    if not isinstance(claim, dict):
        raise Malformed("this is no claim: hand in the file that 'bes claim prove' wrote")
    return claim


def _statement(claim: dict[str, Any]) -> Statement:
    try:
        statement = msgspec.convert(claim.get("statement"), Statement)
    except msgspec.ValidationError as error:
        raise Malformed(f"this is no claim: {error}") from error
    if not 0 < statement.last_slot - statement.first_slot + 1 <= MOST_SLOTS:
        raise Malformed(f"a claim covers 1 to {MOST_SLOTS:,} slots")
    return statement


def _proven(claim: dict[str, Any], node_key: str) -> str:
    try:
        return verifier.check(claim, bytes.fromhex(node_key))
    except verifier.Refused as reason:
        raise Denied(ProofRefusal.NOT_SOUND, f"not proven: {reason}") from reason
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"this is no claim: {type(error).__name__}: {error}") from error
