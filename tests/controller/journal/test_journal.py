import asyncio
import sqlite3
import threading
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.journal import Append, Commit, EventCodec, HeadSchedule, Journal, NewEvent, SideEffect, Snapshot, merkle
from controller.journal.head import SignedHead, open_head
from controller.journal.model import Found
from controller.storage.sqlite import journal as sqlite_journal
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.errors import Conflict, Corrupt, StorageError, StorageUnavailable


def event(text: str = "x") -> NewEvent:
    return NewEvent("Noted", b'"' + text.encode() + b'"', "tester")


async def test_events_come_back_as_written(journal: Journal) -> None:
    first = await journal.append("a/1", [event("one"), event("two")], expected_version=0)
    second = await journal.append("b/1", [event("three")])
    assert [(e.position, e.stream, e.version) for e in (*first, *second)] == [
        (1, "a/1", 1),
        (2, "a/1", 2),
        (3, "b/1", 1),
    ]
    assert await journal.stream("a/1") == list(first)
    assert [page async for page in journal.since(1)] == [[first[1], *second]]
    assert second[0].previous == first[1].digest


async def test_a_second_writer_gets_a_conflict_and_nothing_is_written(journal: Journal) -> None:
    await journal.append("a", [event()], expected_version=0)
    with pytest.raises(Conflict, match="a is at version 1, not 0"):
        await journal.commit(
            Commit(
                appends=(Append("b", (event(),)), Append("a", (event(),), 0)),
                effects=(SideEffect("k", "kind", "lane", b""),),
            )
        )
    assert await journal.stream("b") == []
    assert (await journal.append("a", [event()], expected_version=1))[0].position == 2


async def test_one_commit_may_append_twice_to_a_stream(journal: Journal) -> None:
    recorded = await journal.commit(Commit(appends=(Append("a", (event(),), 0), Append("a", (event(),), 1))))
    assert [e.version for e in recorded] == [1, 2]


async def test_many_appends_share_commits_and_keep_the_chain(journal: Journal, store: SqliteJournal) -> None:
    before = store.committer.commits
    await asyncio.gather(*(journal.append(f"s/{n % 7}", [event(str(n))]) for n in range(500)))
    assert store.committer.commits - before < 50
    events = [e async for page in journal.since(0) for e in page]
    assert [e.position for e in events] == list(range(1, 501))
    assert all(after.previous == before.digest for before, after in pairwise(events))


async def test_folds_see_every_commit_once_in_order_even_of_cancelled_callers(journal: Journal) -> None:
    seen: list[int] = []
    journal.subscribe(lambda events: seen.extend(e.position for e in events))
    callers = [asyncio.ensure_future(journal.append("s", [event()])) for _ in range(20)]
    await asyncio.sleep(0)
    callers[3].cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await journal.append("s", [event()])
    assert seen == list(range(1, 22))


async def test_the_log_goes_on_after_a_restart(journal: Journal, store: SqliteJournal, clock) -> None:
    written = await journal.append("s", [event()])
    await store.__aexit__()
    async with SqliteJournal(store._path) as again:
        later = await Journal(again, clock).append("s", [event()])
        assert later[0].position == 2
        assert later[0].previous == written[0].digest


async def test_proofs_hold_against_signed_heads(journal: Journal, key: SigningKey) -> None:
    for number in range(11):
        await journal.append("s", [event(str(number))])
    old = open_head(await journal.sign_head(key), key.verify_key)
    for number in range(30):
        await journal.append("s", [event(str(number))])
    new = open_head(await journal.sign_head(key), key.verify_key)
    inclusion = await journal.prove_inclusion(5)
    assert inclusion.root == new.root
    leaf = merkle.leaf_hash(inclusion.digest)
    assert merkle.includes(new.root, leaf, inclusion.position - 1, inclusion.size, inclusion.path)
    consistency = await journal.prove_consistency(old.size)
    assert merkle.extends((old.size, old.root), (new.size, new.root), consistency.path)
    assert (consistency.first_root, consistency.second_root) == (old.root, new.root)
    with pytest.raises(StorageError, match="not in a tree"):
        await journal.prove_inclusion(42)
    with pytest.raises(StorageError, match="is the size too large"):
        await journal.prove_inclusion(5, 60)
    with pytest.raises(StorageError, match="0 < first"):
        await journal.prove_consistency(0)


async def test_a_head_is_signed_once_for_each_size(journal: Journal, key: SigningKey) -> None:
    assert await journal.sign_head(key) is None
    await journal.append("s", [event()])
    head = await journal.sign_head(key)
    assert head is not None
    assert await journal.sign_head(key) is None
    assert await journal.heads() == [head]


def watch_heads(store: SqliteJournal, monkeypatch) -> asyncio.Event:
    signed, add_head = asyncio.Event(), store.add_head

    async def added(head: SignedHead) -> None:
        await add_head(head)
        signed.set()

    monkeypatch.setattr(store, "add_head", added)
    return signed


async def test_heads_are_signed_after_enough_events_and_at_the_end(
    journal: Journal, store: SqliteJournal, key: SigningKey, monkeypatch
) -> None:
    signed = watch_heads(store, monkeypatch)
    schedule = HeadSchedule(journal, key, every_events=3, every_s=60)
    running = asyncio.ensure_future(schedule.run())
    await journal.append("s", [event(), event(), event()])
    await asyncio.wait_for(signed.wait(), 5)
    await journal.append("s", [event()])
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert [head.size for head in await journal.heads()] == [4, 3]


async def test_heads_are_signed_after_a_while(
    journal: Journal, store: SqliteJournal, key: SigningKey, monkeypatch
) -> None:
    await journal.append("s", [event()])
    signed = watch_heads(store, monkeypatch)
    running = asyncio.ensure_future(HeadSchedule(journal, key, every_s=0.01).run())
    await asyncio.wait_for(signed.wait(), 5)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_the_file_itself_refuses_changes(journal: Journal, store: SqliteJournal) -> None:
    await journal.append("s", [event()])
    for statement in ("UPDATE event SET actor = 'x'", "DELETE FROM event"):
        with pytest.raises(Exception, match="append-only"):
            await store.committer.call(lambda connection, text=statement: connection.execute(text))


async def test_snapshots_replace_each_other(store: SqliteJournal) -> None:
    assert await store.load("board") is None
    await store.save("board", Snapshot(1, b"a"))
    await store.save("board", Snapshot(2, b"b"))
    assert await store.load("board") == Snapshot(2, b"b")


def positions(found: Found) -> list[int]:
    return [event.position for event in found.events]


async def test_search_looks_everywhere_newest_first(journal: Journal) -> None:
    await journal.append("command/1", [event("Blue"), event("red")])
    await journal.append("alarm/x", [NewEvent("Seen", b"{}", "Bluebeard")])
    assert positions(await journal.search("blue")) == [3, 1]
    assert positions(await journal.search("", before=3)) == [2, 1]
    found = await journal.search("COMMAND", limit=1)
    assert (positions(found), found.before) == ([2], 2)


async def test_a_large_log_is_searched_part_by_part(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_journal, "EVENTS_A_SEARCH", 10)
    await journal.append("s", [event("needle"), *(event("hay") for _ in range(24))])
    first = await journal.search("needle")
    assert (first.events, first.before) == ([], 16)
    second = await journal.search("needle", before=first.before)
    assert (second.events, second.before) == ([], 6)
    last = await journal.search("needle", before=second.before)
    assert (positions(last), last.before) == ([1], None)


async def test_a_search_of_people_delays_no_command(
    journal: Journal, store: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a search runs, what the controller itself reads is answered."""
    await journal.append("s", [event("hay") for _ in range(3)])
    searching, answered = threading.Event(), threading.Event()

    def slow(text: str) -> str:
        searching.set()
        assert answered.wait(10), "the search held up the outbox"
        return text.lower()

    await store._people._opened.create_function("lower", 1, slow)
    search = asyncio.ensure_future(journal.search("hay"))
    await asyncio.to_thread(searching.wait, 10)
    assert await SqliteOutbox(store).take("command", 0, 10) == []
    answered.set()
    assert len((await search).events) == 3


async def test_a_closed_journal_says_so(path) -> None:
    with pytest.raises(StorageUnavailable, match="not open"):
        await SqliteJournal(path).state()


async def test_notes_are_events_of_one_commit(journal: Journal) -> None:
    class Seen(msgspec.Struct):
        what: str

    commits: list[int] = []
    journal.subscribe(lambda events: commits.append(len(events)))
    await journal.note({"alarm/x": Seen("it"), "alarm/y": Seen("that")}, "ann")
    [noted] = await journal.stream("alarm/x")
    assert (noted.name, noted.actor, noted.data) == ("Seen", "ann", b'{"what":"it"}')
    assert commits == [2]


class Counted(msgspec.Struct, frozen=True):
    count: int


async def test_codec_speaks_its_own_events_only(journal: Journal) -> None:
    codec = EventCodec([Counted])
    good, foreign, bad = await journal.append(
        "s", [codec.encode(Counted(3), "me"), event(), NewEvent("Counted", b'{"count":"x"}', "me")]
    )
    assert codec.decode(good) == Counted(3)
    assert codec.decode(foreign) is None
    with pytest.raises(Corrupt, match=r"event 3 \(Counted\) of 's'"):
        codec.decode(bad)
    with pytest.raises(TypeError, match="not an event of this domain"):
        EventCodec([]).encode(Counted(1), "me")


async def test_a_file_that_is_no_database_is_corrupt(tmp_path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"nothing of ours" * 1000)
    with pytest.raises(Corrupt):
        await SqliteJournal(path).__aenter__()


async def test_a_file_of_a_newer_release_is_left_alone(store: SqliteJournal, path) -> None:
    await store.__aexit__()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="schema 99 is newer"):
        await SqliteJournal(path).__aenter__()
