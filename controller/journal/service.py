"""Appending, reading and proving: the one way into the log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec
from nacl.signing import SigningKey

from controller.journal import merkle
from controller.journal.head import SignedHead, sign_head
from controller.journal.model import Append, Commit, Found, NewEvent, RecordedEvent
from controller.journal.ports import EventStore
from shared.clock import Clock
from shared.errors import StorageError

Fold = Callable[[Sequence[RecordedEvent]], None]
_PAGE = 1_000


class InclusionProof(msgspec.Struct, frozen=True):
    """Event `position` is in the tree of `size` events with `root`; check with `merkle.includes`."""

    position: int
    size: int
    digest: bytes
    root: bytes
    path: tuple[bytes, ...]


class ConsistencyProof(msgspec.Struct, frozen=True):
    """The tree of `first` events is a prefix of that of `second`; check with `merkle.extends`."""

    first: int
    first_root: bytes
    second: int
    second_root: bytes
    path: tuple[bytes, ...]


class Journal:
    """One per process. Everything that `append` and `commit` return is on the disk.

    Folds that `subscribe` see every commit of this process in order of position, before the caller goes on, and also
    where the caller was cancelled meanwhile: a projection can never miss what was written.
    """

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._folds: list[Fold] = []
        self._written = asyncio.Event()
        self._running: set[asyncio.Task[tuple[RecordedEvent, ...]]] = set()

    def subscribe(self, fold: Fold) -> None:
        self._folds.append(fold)

    async def append(
        self, stream: str, events: Sequence[NewEvent], *, expected_version: int | None = None
    ) -> tuple[RecordedEvent, ...]:
        """Write events to one stream; Conflict where `expected_version` is not its present version."""
        return await self.commit(Commit(appends=(Append(stream, tuple(events), expected_version),)))

    async def commit(self, commit: Commit) -> tuple[RecordedEvent, ...]:
        """Write to any number of streams, with side effects and settled ones, all or nothing."""
        task = asyncio.ensure_future(self._commit(commit))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def note(self, facts: Mapping[str, msgspec.Struct], actor: str) -> None:
        """Write down facts by their stream that nothing is decided on, such as who acknowledged alarms: all at once."""
        events = {
            stream: NewEvent(type(fact).__name__, msgspec.json.encode(fact), actor) for stream, fact in facts.items()
        }
        await self.commit(Commit(appends=tuple(Append(stream, (event,)) for stream, event in events.items())))

    async def wait(self) -> None:
        """Until something was written after this call."""
        await self._written.wait()

    async def stream(self, stream: str) -> list[RecordedEvent]:
        """All events of a stream by version."""
        events: list[RecordedEvent] = []
        while True:
            page = await self._store.read_stream(stream, len(events), _PAGE)
            events += page
            if len(page) < _PAGE:
                return events

    async def since(self, position: int) -> AsyncIterator[list[RecordedEvent]]:
        """All events after a position, page by page, up to what is written by then."""
        while page := await self._store.read_from(position, _PAGE):
            yield page
            position = page[-1].position

    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> Found:
        """Events that contain `text` (all where it is empty), newest first, below position `before`.

        A large log is searched part by part: go on at the `before` of what was found, even where that is nothing.
        """
        return await self._store.search(text, before, limit)

    async def sign_head(self, key: SigningKey) -> SignedHead | None:
        """Sign where the log stands and store it; None where it is empty or its newest head says the same."""
        state = await self._store.state()
        newest = await self._store.heads(1)
        if state.size == 0 or (newest and newest[0].size == state.size):
            return None
        head = sign_head(
            key, log_id=state.log_id, size=state.size, root=merkle.fold(state.peaks), at_ms=self._clock.now_ms()
        )
        await self._store.add_head(head)
        return head

    async def heads(self, limit: int = 20) -> list[SignedHead]:
        """The newest signed heads, newest first."""
        return await self._store.heads(limit)

    async def prove_inclusion(self, position: int, size: int | None = None) -> InclusionProof:
        """That event `position` is in the log of its first `size` events (default: all)."""
        size = (await self._store.state()).size if size is None else size
        plan = _planned(merkle.inclusion_plan, position - 1, size)
        found = await self._store.read_from(position - 1, 1)
        root, path = await self._prove(plan, size)
        return InclusionProof(position, size, found[0].digest, root[0], path)

    async def prove_consistency(self, first: int, second: int | None = None) -> ConsistencyProof:
        """That nothing in the first `first` events was changed on the way to `second` (default: all)."""
        second = (await self._store.state()).size if second is None else second
        plan = _planned(merkle.consistency_plan, first, second)
        roots, path = await self._prove(plan, first, second)
        return ConsistencyProof(first, roots[0], second, roots[1], path)

    async def _prove(self, plan: merkle.Plan, *sizes: int) -> tuple[list[bytes], tuple[bytes, ...]]:
        """The roots at `sizes` and the planned path, from one read of the store."""
        peaks = tuple(merkle.subtrees(0, size) for size in sizes)
        places = [place for group in (*peaks, *plan) for place in group]
        nodes = await self._store.nodes(places)
        if missing := [place for place in places if place not in nodes]:
            raise StorageError(f"the log has no subtree {missing[0].level}/{missing[0].number}; is the size too large?")
        return list(merkle.proof(peaks, nodes.__getitem__)), merkle.proof(plan, nodes.__getitem__)

    async def _commit(self, commit: Commit) -> tuple[RecordedEvent, ...]:
        recorded = await self._store.commit(commit, self._clock.now_ms())
        for fold in self._folds:
            fold(recorded)
        self._written.set()
        self._written = asyncio.Event()
        return recorded


def _planned(plan: Callable[[int, int], merkle.Plan], first: int, second: int) -> merkle.Plan:
    try:
        return plan(first, second)
    except ValueError as error:
        raise StorageError(str(error)) from error
