"""Verify a journal from its file alone: every digest, the chain, the versions, the tree, the signed heads."""

from collections.abc import Iterator
from itertools import chain

import msgspec
from nacl.signing import VerifyKey

from controller.journal.chain import expected_digest, genesis
from controller.journal.head import SignedHead, TreeHead, open_head
from controller.journal.merkle import NodeAt, Tree
from controller.journal.model import LogState, RecordedEvent
from controller.journal.ports import LogFile
from controller.journal.schedule import MOST_UNSIGNED
from shared.crypto.keys import key_id
from shared.errors import Corrupt, WireError


class Anchor(msgspec.Struct, frozen=True):
    """A head that was kept outside the file: printed, mailed, noted by an auditor."""

    size: int
    root: bytes


class CheckedHead(msgspec.Struct, frozen=True):
    size: int
    root: bytes
    at_ms: int
    key_id: str


class Damage(msgspec.Struct, frozen=True):
    """The first thing that is wrong; `position` is the first event not to be believed, None for the whole file."""

    position: int | None
    problem: str


class Report(msgspec.Struct, frozen=True):
    """`size` events were verified; `root` is their tree's. `unsigned` of them came after the newest head."""

    log_id: bytes
    size: int
    root: bytes
    heads: tuple[CheckedHead, ...]
    damage: Damage | None

    @property
    def unsigned(self) -> int:
        return self.size - (self.heads[-1].size if self.heads else 0)


class _Damaged(Exception):
    """Ends a verification; never leaves this module."""

    def __init__(self, position: int | None, problem: str) -> None:
        super().__init__(problem)
        self.damage = Damage(position, problem)


class Expectation(msgspec.Struct, frozen=True):
    """What the auditor knows from elsewhere. With the controller's key `trusted`, all but the last MOST_UNSIGNED events
    must stand under a head that it signed; `at_least` is a size that the log, as far as it is signed by that key, has
    had before.
    """

    trusted: VerifyKey | None = None
    anchors: tuple[Anchor, ...] = ()
    at_least: int = 0


def verify(log: LogFile, expected: Expectation = Expectation()) -> Report:  # noqa: B008 # frozen
    """Recompute everything and stop at the first contradiction.

    Without a key, an anchor or a size a file that was rewritten as a whole still passes. With the key alone its newest
    events can have been cut off together with their heads, and what came after the last head that was left can be of
    another hand: an anchor or a size that was kept elsewhere shows that.
    """
    return _Verification(log, expected).run()


class _Verification:
    def __init__(self, log: LogFile, expected: Expectation) -> None:
        self._log = log
        self._trusted = expected.trusted
        self._at_least = expected.at_least
        self._anchors = sorted(expected.anchors, key=lambda anchor: anchor.size)
        self._tree = Tree()
        self._digest = b""
        self._versions: dict[str, int] = {}
        self._stored_nodes: dict[int, Iterator[tuple[int, bytes]]] = {}
        self._heads: list[CheckedHead] = []
        self._log_id = b""

    def run(self) -> Report:
        damage = None
        try:
            self._verify()
        except _Damaged as found:
            damage = found.damage
        except Corrupt as error:
            damage = Damage(self._tree.size + 1, error.detail)
        return Report(self._log_id, self._tree.size, self._tree.root, tuple(self._heads), damage)

    def _verify(self) -> None:
        state = self._log.state()
        self._log_id = state.log_id
        self._digest = genesis(state.log_id)
        heads = self._log.heads()
        head = next(heads, None)
        for event in self._log.events():
            self._check_event(event)
            while head is not None and head.size <= self._tree.size:
                self._check_head(head)
                head = next(heads, None)
            self._check_anchors()
        self._check_end(state, head)
        self._check_signed()
        if problems := self._log.problems():
            raise _Damaged(None, f"the events are whole, but the file is not: {problems[0]}")

    def _check_event(self, event: RecordedEvent) -> None:
        expected = self._tree.size + 1
        if event.position != expected:
            raise _Damaged(expected, f"event {expected} is missing; the next one is {event.position}")
        if event.previous != self._digest:
            raise _Damaged(expected, f"event {expected} does not follow the one before it")
        if event.digest != expected_digest(event):
            raise _Damaged(expected, f"event {expected} ({event.name} of {event.stream}) was changed")
        version = self._versions.get(event.stream, 0) + 1
        if event.version != version:
            raise _Damaged(expected, f"event {expected} is version {event.version} of {event.stream}, not {version}")
        self._versions[event.stream] = version
        self._digest = event.digest
        for place, node in self._tree.append(event.digest):
            self._check_node(place, node, expected)

    def _check_node(self, place: NodeAt, node: bytes, position: int) -> None:
        stored = self._stored_nodes.get(place.level)
        if stored is None:
            stored = self._stored_nodes.setdefault(place.level, self._log.nodes(place.level))
        if next(stored, None) != (place.number, node):
            raise _Damaged(position, f"stored subtree {place.level}/{place.number} is not that of the events")

    def _check_head(self, signed: SignedHead) -> None:
        size = self._tree.size
        try:
            head = open_head(signed, self._trusted)
        except WireError as error:
            raise _Damaged(None, f"signed head of {signed.size} events: {error.detail}") from error
        self._agree(head, signed.size)
        if signed.size != size or head.root != self._tree.root:
            raise _Damaged(self._first_unsigned(), f"the events up to {size} are not those of the head signed then")
        key = self._trusted or VerifyKey(signed.public_key)
        self._heads.append(CheckedHead(head.size, head.root, head.at_ms, key_id(key)))

    def _agree(self, head: TreeHead, size: int) -> None:
        if head.log_id != self._log_id:
            raise _Damaged(None, f"the signed head of {size} events belongs to another log")
        if head.size != size:
            raise _Damaged(None, f"the head stored for {size} events was signed for {head.size}")

    def _check_anchors(self) -> None:
        while self._anchors and self._anchors[0].size <= self._tree.size:
            anchor = self._anchors.pop(0)
            if anchor.size != self._tree.size or anchor.root != self._tree.root:
                raise _Damaged(self._first_unsigned(), f"the first {anchor.size} events are not those of the anchor")

    def _check_end(self, state: LogState, head: SignedHead | None) -> None:
        size = self._tree.size
        promised = [(state.size, "the log's own state"), *((anchor.size, "an anchor") for anchor in self._anchors)]
        if head is not None:
            promised.append((head.size, "a signed head"))
        for count, source in promised:
            if count > size:
                raise _Damaged(size + 1, f"the log ends after {size} events, but {source} tells of {count}")
        if state.size != size or state.digest != self._digest or state.peaks != self._tree.peaks:
            raise _Damaged(None, f"the log's own state ({state.size} events) is not that of its {size} events")
        surplus = chain.from_iterable(self._stored_nodes.values())
        if next(surplus, None) is not None:
            raise _Damaged(None, "there are stored subtrees that no events account for")

    def _check_signed(self) -> None:
        """Is the log as long as it is known to be, and signed as far as the controller signs?"""
        size, signed = self._tree.size, self._heads[-1].size if self._heads else 0
        proven = size if self._trusted is None else signed
        if proven < self._at_least:
            what = "the log ends" if self._trusted is None else "what the key has signed ends"
            raise _Damaged(proven + 1, f"{what} after {proven} events, but it had {self._at_least} before")
        if self._trusted is None or size == 0:
            return
        if not self._heads:
            raise _Damaged(1, "the key has signed nothing here; a controller signs within a minute of its first event")
        if size - signed > MOST_UNSIGNED:
            raise _Damaged(
                signed + 1,
                f"{size - signed} events follow the newest head, but a controller signs after at most {MOST_UNSIGNED}",
            )

    def _first_unsigned(self) -> int:
        """The earliest event that a mismatch of the present head may concern."""
        return (self._heads[-1].size if self._heads else 0) + 1
