"""The recovery ceremony of a box that lost rows of its ledger: what its owners sign, and who is told.

The witnesses check the owners' seals themselves and take each ceremony once; here nothing is believed that decides.
"""

import secrets
from collections.abc import Sequence

import msgspec

from controller.journal import EventCodec, Journal
from controller.treasury.boxes import BoxDirectory
from controller.treasury.post import Post
from controller.treasury.refusal import TreasuryRefusal
from shared.errors import Denied, Malformed, WireError
from shared.wire.codec import decode, encode
from shared.wire.envelope import Envelope
from shared.wire.restart import LedgerRestart


class RestartTold(msgspec.Struct, frozen=True):
    """The witnesses of a box are told that its ledger counts from row `seq` on. Stream `box/<id>`."""

    box_id: str
    ceremony: str
    seq: int
    head: str
    sealed: bytes


codec = EventCodec((RestartTold,))


class LedgerRecovery:
    def __init__(self, journal: Journal, boxes: BoxDirectory, post: Post) -> None:
        self._journal = journal
        self._boxes = boxes
        self._post = post

    def document(self, box_id: str) -> LedgerRestart:
        """What the owners sign: where the box says that its ledger stands. Denied where it has not said so yet."""
        report = self._boxes.get(box_id).report
        if report is None:
            detail = "the box has not said where its ledger stands; start it and wait for its report"
            raise Denied(TreasuryRefusal.BOX_UNHEARD, detail)
        ceremony = f"restart-{box_id[:8]}-{secrets.token_hex(8)}"
        return LedgerRestart(ceremony=ceremony, box_id=box_id, seq=report.ledger_seq, head=report.ledger_head)

    async def tell(self, box_id: str, answers: Sequence[bytes], actor: str) -> LedgerRestart:
        """Send the owners' answers, as one, to all other boxes; in the journal before any is told.

        Done when the broker has them, GatewayUnavailable otherwise; call it again: a box takes a ceremony once.
        """
        self._boxes.get(box_id)
        restart, sealed = _joined(answers)
        if restart.box_id != box_id:
            raise Malformed(f"sealed: it is about box {restart.box_id}, not about {box_id}")
        fact = RestartTold(box_id, restart.ceremony, restart.seq, restart.head.hex(), sealed)
        await self._journal.append(f"box/{box_id}", [codec.encode(fact, actor)])
        await self._post.restart(box_id, sealed)
        return restart


def _joined(answers: Sequence[bytes]) -> tuple[LedgerRestart, bytes]:
    """One envelope with the signatures of all; Malformed where they are not of one document."""
    try:
        envelopes = [decode(answer, Envelope) for answer in answers]
        restart = decode(envelopes[0].payload, LedgerRestart)
    except (WireError, IndexError) as error:
        raise Malformed("sealed: what `bes sign document` printed for each owner, whole") from error
    if any(one.payload != envelopes[0].payload for one in envelopes):
        raise Malformed("sealed: the owners signed different documents; let all of them sign the same one")
    signatures = {one.key_id: one for envelope in envelopes for one in envelope.signatures}
    return restart, encode(Envelope(payload=envelopes[0].payload, signatures=tuple(signatures.values())))
