"""Before a signature other boxes remember where this ledger stands; and this box remembers it of them."""

import asyncio
import secrets
from typing import NamedTuple

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import Head, Ledger, WitnessBook, require_remembered
from agent.signer.sessions.ports import Say
from shared.errors import Denied
from shared.log import get_logger
from shared.wire.signing import WitnessAnswer, WitnessRequest

_NONCE_BYTES = 16

log = get_logger(__name__)


class _Asked(NamedTuple):
    """A question that is out. `before` is what witnesses remembered before it, `present` what they remember of `seq`
    or later since.
    """

    seq: int
    needed: int
    named: frozenset[str]
    before: dict[str, Head | None]
    present: dict[str, Head | None]
    over: asyncio.Event


class Witnesses:
    """`say` sends a word to all other boxes; the controller only carries it."""

    def __init__(self, box_id: str, ledger: Ledger, say: Say, patience_s: float) -> None:
        self._box_id = box_id
        self._ledger = ledger
        self._book = WitnessBook(ledger)
        self._say = say
        self._patience_s = patience_s
        self._asked: dict[bytes, _Asked] = {}

    async def require(self, named: frozenset[str], needed: int) -> None:
        """`needed` of the boxes `named` remember the head as it is now, or a later one of the same chain.

        Denied `ledger.quorum` where they do not answer in time, `ledger.rollback` where one remembers another chain.
        """
        if needed == 0:
            return
        head, nonce = await self._ledger.head(), secrets.token_bytes(_NONCE_BYTES)
        asked = _Asked(head.seq, needed, named - {self._box_id}, {}, {}, asyncio.Event())
        self._asked[nonce] = asked
        try:
            self._say(
                "witness-request", WitnessRequest(box_id=self._box_id, seq=head.seq, head=head.digest, nonce=nonce)
            )
            async with asyncio.timeout(self._patience_s):
                await asked.over.wait()
        except TimeoutError:
            log.warning("signer.witnesses-silent", answered=sorted(asked.present), needed=needed)
        finally:
            del self._asked[nonce]
        await require_remembered(self._ledger, asked.before, 0)
        await require_remembered(self._ledger, asked.present, needed)

    def answered(self, answer: WitnessAnswer) -> None:
        """A witness has answered; what it remembers is judged when all have, or when time is up."""
        asked = self._asked.get(answer.nonce)
        if asked is None or answer.box_id != self._box_id or answer.witness_id not in asked.named:
            return
        asked.before[answer.witness_id] = _head(self._box_id, answer.before_seq, answer.before_head)
        if answer.seq >= asked.seq:
            asked.present[answer.witness_id] = _head(self._box_id, answer.seq, answer.head)
        if len(asked.present) >= asked.needed:
            asked.over.set()

    async def asked(self, request: WitnessRequest, now: ChainTime) -> None:
        """Remember the head of another box, and tell it what was remembered before."""
        claim = Head(request.box_id, request.seq, request.head)
        before = await self._book.memory_of(request.box_id)
        present = before
        if request.seq > 0:
            try:
                memory = await self._book.remember(claim, now)
                before, present = memory.before, memory.now
            except Denied as error:
                log.warning("signer.peer-contradicts-itself", rule=error.rule, box=request.box_id, detail=error.detail)
        self._say("witness-answer", self._answer(request, before, present))

    def _answer(self, request: WitnessRequest, before: Head | None, present: Head | None) -> WitnessAnswer:
        return WitnessAnswer(
            witness_id=self._box_id,
            box_id=request.box_id,
            nonce=request.nonce,
            before_seq=before.seq if before else 0,
            before_head=before.digest if before else b"",
            seq=present.seq if present else 0,
            head=present.digest if present else b"",
        )


def _head(box_id: str, seq: int, digest: bytes) -> Head | None:
    return Head(box_id, seq, digest) if seq else None
