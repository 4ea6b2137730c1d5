"""Rollback protection: boxes remember the heads of each other's ledgers.

An old disk image would refill the limits that it was restored with. So before a signature other boxes remember the head
that follows the debit, and a box whose own rows contradict what a witness remembers signs no more. A witness tells what
it remembered *before* too: a box that was set back could else climb over its old head with rows that cost nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from agent.signer.clock.model import ChainTime
from agent.signer.ledger.model import EntryKind, Head, Note
from agent.signer.ledger.service import Ledger
from shared.errors import Conflict, Denied
from shared.wire.codec import decode, encode


class WitnessedBody(msgspec.Struct, frozen=True, array_like=True):
    """The body of a witnessed head. `evidence` is the owners' sealed word where it is lower than the one before."""

    seq: int
    digest: bytes
    evidence: bytes = b""


class Memory(NamedTuple):
    """What a witness remembered when it was asked, and what it remembers now."""

    before: Head | None
    now: Head


class WitnessBook:
    """The highest head of each other box, as rows of the witness's own ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def memory_of(self, box_id: str) -> Head | None:
        return (await self._read(box_id))[0]

    async def remember(self, claim: Head, now: ChainTime) -> Memory:
        """On the disk when it returns. Denied `ledger.rollback` where the box showed a higher head before, or another
        one of the same height. The same head again adds no row.
        """
        while True:
            before, row_seq = await self._read(claim.box_id)
            if before == claim:
                return Memory(before, claim)
            if before is not None and claim.seq <= before.seq:
                raise Denied("ledger.rollback", _contradiction(claim, before))
            try:
                await self._write(claim, b"", row_seq, now)
            except Conflict:
                continue
            return Memory(before, claim)

    async def knows_ceremony(self, box_id: str, ceremony: str) -> bool:
        return bool(await self._ledger.of_request(_ceremony_row(box_id, ceremony)))

    async def accept_restart(self, claim: Head, ceremony: str, evidence: bytes, now: ChainTime) -> Memory:
        """The recovery ceremony: from now on this head counts, however low. The caller has verified that `evidence` is
        the owners' word about exactly this head; Conflict where another head came at the same time.
        """
        before, row_seq = await self._read(claim.box_id)
        await self._write(claim, evidence, row_seq, now, _ceremony_row(claim.box_id, ceremony))
        return Memory(before, claim)

    async def _read(self, box_id: str) -> tuple[Head | None, int]:
        row = await self._ledger.latest(EntryKind.WITNESSED, box_id)
        if row is None:
            return None, 0
        body = decode(row.body, WitnessedBody)
        return Head(box_id, body.seq, body.digest), row.seq

    async def _write(
        self, claim: Head, evidence: bytes, follows_seq: int, now: ChainTime, request_id: str | None = None
    ) -> None:
        body = encode(WitnessedBody(claim.seq, claim.digest, evidence))
        note = Note(kind=EntryKind.WITNESSED, subject=claim.box_id, request_id=request_id, body=body)
        await self._ledger.record(note, now, follows_seq=follows_seq)


async def require_remembered(ledger: Ledger, memories: Mapping[str, Head | None], needed: int) -> None:
    """Compare the own ledger with what each witness (by its id) remembers of it; None is a witness that knows nothing.

    Denied `ledger.rollback` where a single one contradicts, `ledger.quorum` where fewer than `needed` answered.
    """
    for witness_id, memory in memories.items():
        if memory is not None and await ledger.digest_at(memory.seq) != memory.digest:
            raise Denied(
                "ledger.rollback",
                f"witness {witness_id} remembers row {memory.seq} of this ledger, which is missing or another one "
                "here; sign nothing and begin the recovery ceremony",
            )
    if len(memories) < needed:
        raise Denied("ledger.quorum", f"{len(memories)} witnesses answered, {needed} are needed")


def _ceremony_row(box_id: str, ceremony: str) -> str:
    """No request has such an id (`RequestId`), so the row is found by it and mistaken for nothing."""
    return f"ceremony:{box_id}:{ceremony}"


def _contradiction(claim: Head, before: Head) -> str:
    if claim.seq == before.seq:
        return f"box {claim.box_id} shows two different heads at row {claim.seq}"
    return f"box {claim.box_id} shows row {claim.seq} as its head after row {before.seq}"
