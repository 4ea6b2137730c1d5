"""`Ledger`: what it has answered is on the disk, and nothing is signed that it has not answered."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import entry_table as table
from agent.signer.ledger import family, holding
from agent.signer.ledger.audit import SCHEMAS, verify
from agent.signer.ledger.budget import Budget, Now
from agent.signer.ledger.chain import genesis
from agent.signer.ledger.model import Debit, Entry, EntryKind, Head, Note, OpenedBody, Spend, Spent
from agent.spool.integrity import check_files, check_log, check_tail
from shared.errors import Conflict, Corrupt, Denied, StorageError, StorageUnavailable
from shared.group_commit import GroupCommitter
from shared.wire.codec import encode
from shared.wire.contract import Limits

T = TypeVar("T")

REORG_BLOCKS = 6  # a tip may fall back by so much without being called stale


class Ledger:
    """One file, one writer thread. Rows of one box only; a file that is damaged or another's is refused, never mended.

    Times of rows never go back: the caller brings the chain's, the ledger keeps the later of it and the newest row's.

    A power cut may leave the end of the write-ahead log torn: a commit that nobody had been promised. It looks like one
    that was promised and damaged since, which would be a rollback; so it is refused, unless `accept_torn_end` says that
    witnesses will be asked what they remember before anything is signed.
    """

    def __init__(
        self,
        path: Path,
        *,
        box_id: str,
        boot_id: str,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        accept_torn_end: bool = False,
    ) -> None:
        self._path = path
        self._box_id = box_id
        self._boot_id = boot_id
        self._monotonic_ns = monotonic_ns
        self._accept_torn_end = accept_torn_end
        self._budget = Budget()
        self._committer = GroupCommitter(path, migrations=SCHEMAS)
        self._requests: set[str] = set()  # every id that has a row, so that a new one need not be looked for

    async def open(self) -> Head:
        """Ready to debit, every row verified. Corrupt where a byte is not as it was written; keep the file then."""
        return await asyncio.to_thread(self._start)

    async def close(self) -> None:
        await asyncio.to_thread(self._committer.stop)

    async def debit(self, spend: Spend, limits: Limits, now: ChainTime) -> Debit:
        """Take the transaction off the budget of its contract, on the disk when it returns.

        Denied: `request.replay`, `clock.stale`, `input.reserved`, `limit.tx`, `limit.window`, `limit.lifetime`,
        `ledger.unwritable`. A transaction that was debited before is not debited again.
        """
        return await self._written(partial(self._debit, spend, limits, now))

    async def record(self, note: Note, now: ChainTime, *, follows_seq: int | None = None) -> Entry:
        """Write a row that moves no money. With `follows_seq` (0: there is none) Conflict where the newest row of its
        kind and subject is another one. Denied `ledger.unwritable`.
        """
        return await self._written(partial(self._record, note, now, follows_seq))

    async def head(self) -> Head:
        return await self._committer.call(self._head)

    async def digest_at(self, seq: int) -> bytes | None:
        """The digest of a row; of row 0 what stands before the first; None above the head."""
        if seq == 0:
            return genesis(self._box_id)
        entry = await self._committer.call(partial(table.at, seq=seq))
        return None if entry is None else entry.digest

    async def spent(self, contract_id: str, window_blocks: int, now: ChainTime) -> Spent:
        return await self._committer.call(
            lambda connection: self._budget.spent(
                connection, contract_id, window_blocks, self._now(_newest(connection), now)
            )
        )

    async def of_request(self, request_id: str) -> list[Entry]:
        """Every row that a request left, in their order."""
        if request_id not in self._requests:
            return []
        return await self._committer.call(partial(table.of_request, request_id=request_id))

    async def debit_of(self, txid: str) -> Entry | None:
        return await self._committer.call(partial(table.debit_of, txid=txid))

    async def latest(self, kind: EntryKind, subject: str) -> Entry | None:
        return await self._committer.call(partial(table.latest, kind=kind, subject=subject))

    async def all_of(self, kind: EntryKind, subject: str) -> list[Entry]:
        return await self._committer.call(lambda connection: list(table.of_kind(connection, kind, subject)))

    async def subjects(self, kind: EntryKind) -> list[str]:
        """Whom or what rows of this kind are about."""
        return await self._committer.call(partial(table.subjects, kind=kind))

    async def after(self, seq: int, limit: int) -> list[Entry]:
        return await self._committer.call(partial(table.after, seq=seq, limit=limit))

    async def verify(self) -> Head:
        """Read every row again. Corrupt where a byte is not as it was written."""
        return await self._committer.call(partial(verify, box_id=self._box_id))

    def _start(self) -> Head:
        last_commit_frame = check_files(self._path)
        if not self._accept_torn_end:
            check_tail(self._path)
        try:
            self._committer.start()
            if last_commit_frame and not self._accept_torn_end:
                self._committer.maintain(partial(self._require_recovered, last_commit_frame))
            self._committer.run(self._claim)
            self._requests = self._committer.run(table.requests)
            return self._committer.run(partial(verify, box_id=self._box_id))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._committer.stop()
            raise Corrupt(f"{self._path}: {error}") from error
        except BaseException:
            self._committer.stop()
            raise

    def _require_recovered(self, last_commit_frame: int, connection: sqlite3.Connection) -> None:
        """SQLite reads the log anew only where nobody has the file open. With another program in it, a commit that is
        on the disk, and that a kill kept from its index, would be written over in part: the log would look torn.
        """
        try:
            check_log(connection, last_commit_frame)
        except Corrupt as error:
            raise StorageUnavailable(
                f"{self._path}: another program has had it open since the box ended; end that one and start again"
            ) from error

    def _claim(self, connection: sqlite3.Connection) -> None:
        if table.newest(connection) is None:
            body = encode(OpenedBody(self._box_id, secrets.token_bytes(16)))
            note, now = Note(kind=EntryKind.OPENED, body=body), Now(0, 0, self._boot_id, self._monotonic_ns())
            self._append(connection, None, note, now)

    async def _written(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._committer.call(work)
        except Conflict:
            raise
        except StorageError as error:
            raise Denied("ledger.unwritable", f"the ledger cannot be written: {error.detail}") from error

    def _debit(self, spend: Spend, limits: Limits, time_: ChainTime, connection: sqlite3.Connection) -> Debit:
        earlier = table.debit_of(connection, spend.txid)
        if earlier is not None:
            return Debit(_same_contract(earlier, spend), fresh=False)
        if spend.request_id in self._requests:
            _require_same_request(connection, spend)
        newest = _newest(connection)
        now = self._now(newest, time_)
        holding.require_free(connection, spend, now.height)
        debit_sat, body = family.price(connection, spend)
        spent = self._budget.require(connection, spend, debit_sat, limits, now)
        note = Note(
            kind=EntryKind.DEBIT,
            subject=spend.contract_id,
            request_id=spend.request_id,
            request_digest=spend.request_digest,
            txid=spend.txid,
            policy_version=spend.policy_version,
            body=encode(body),
        )
        entry = self._append(connection, newest, note, now, debit_sat, spent.lifetime_sat + debit_sat)
        holding.hold(connection, entry.seq, spend.txid, body)
        return Debit(entry, fresh=True)

    def _record(self, note: Note, time_: ChainTime, follows_seq: int | None, connection: sqlite3.Connection) -> Entry:
        if follows_seq is not None:
            newest = table.latest(connection, note.kind, note.subject or "")
            if (newest.seq if newest else 0) != follows_seq:
                raise Conflict(f"another {note.kind} row of {note.subject} was written first; read it and decide again")
        newest = _newest(connection)
        return self._append(connection, newest, note, self._later(newest, time_))

    def _append(
        self,
        connection: sqlite3.Connection,
        newest: Entry | None,
        note: Note,
        now: Now,
        debit_sat: int = 0,
        spent_sat: int = 0,
    ) -> Entry:
        entry = Entry(
            seq=newest.seq + 1 if newest else 1,
            kind=note.kind.value,
            subject=note.subject,
            request_id=note.request_id,
            request_digest=note.request_digest,
            txid=note.txid,
            debit_sat=debit_sat,
            spent_sat=spent_sat,
            height=now.height,
            mtp_s=now.mtp_s,
            boot_id=now.boot_id,
            mono_ns=now.mono_ns,
            policy_version=note.policy_version,
            body=note.body,
            previous=newest.digest if newest else genesis(self._box_id),
            digest=b"",
        )
        if note.request_id is not None:
            self._requests.add(note.request_id)
        return table.insert(connection, entry)

    def _now(self, newest: Entry, time_: ChainTime) -> Now:
        """Denied `clock.stale` where the chain stands lower than when the ledger was last written."""
        if time_.height < newest.height - REORG_BLOCKS:
            raise Denied(
                "clock.stale",
                f"the header clock stands at height {time_.height}, the ledger was written at {newest.height}; "
                "send the headers that are missing",
            )
        return self._later(newest, time_)

    def _later(self, newest: Entry, time_: ChainTime) -> Now:
        height, mtp_s = max(time_.height, newest.height), max(time_.mtp_s, newest.mtp_s)
        return Now(height, mtp_s, self._boot_id, self._monotonic_ns())

    def _head(self, connection: sqlite3.Connection) -> Head:
        newest = _newest(connection)
        return Head(self._box_id, newest.seq, newest.digest)


def _newest(connection: sqlite3.Connection) -> Entry:
    newest = table.newest(connection)
    assert newest is not None, "an open ledger has a first row"
    return newest


def _same_contract(earlier: Entry, spend: Spend) -> Entry:
    if earlier.subject != spend.contract_id:
        raise Denied("input.reserved", f"transaction {spend.txid} was debited to contract {earlier.subject}")
    return earlier


def _require_same_request(connection: sqlite3.Connection, spend: Spend) -> None:
    first = table.first_of_request(connection, spend.request_id)
    if first is not None and first.request_digest != spend.request_digest:
        raise Denied("request.replay", f"request {spend.request_id} came before with other content")
