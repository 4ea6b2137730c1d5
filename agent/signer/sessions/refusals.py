"""Refusals on their way into the ledger: as many as the ration of their contract allows, and the rest is counted."""

from collections.abc import Container

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import Entry, EntryKind, Ledger, Note
from agent.signer.rule import REQUEST_QUOTA
from agent.signer.sessions.row_quota import ROW_BYTES, RowQuota
from shared.errors import Denied
from shared.wire.codec import encode


class Refusals:
    """`registered` are the contracts that have a ration of their own."""

    def __init__(self, ledger: Ledger, registered: Container[str], quota: RowQuota | None = None) -> None:
        self._ledger = ledger
        self._registered = registered
        self._quota = quota or RowQuota()

    def require_room(self, subject: str, body_bytes: int) -> None:
        """Denied `request.quota` where an answer that costs no budget is one too many."""
        if not self._quota.has_room(self._ration(subject), body_bytes):
            raise Denied(REQUEST_QUOTA, "this was answered too often for nothing; ask again later under a new id")

    async def write(self, note: Note, rule: str, now: ChainTime) -> Entry | None:
        """None where it is over the ration. Denied `ledger.unwritable`."""
        ration = self._ration(note.subject or "")
        if not self._quota.has_room(ration, len(note.body)):
            self._quota.leave_out(ration, rule)
            return None
        await self._tell_left_out(ration, now)
        return await self._ledger.record(note, now)

    async def tell_left_out(self, now: ChainTime) -> None:
        """A row for each ration that has room again and has left something out."""
        for ration in self._quota.owing:
            if self._quota.has_room(ration, ROW_BYTES):
                await self._tell_left_out(ration, now)

    async def _tell_left_out(self, ration: str, now: ChainTime) -> None:
        left_out = self._quota.take_left_out(ration)
        if left_out is not None:
            await self._ledger.record(Note(kind=EntryKind.REFUSAL, subject=ration, body=encode(left_out)), now)

    def _ration(self, subject: str) -> str:
        return subject if subject in self._registered else ""
