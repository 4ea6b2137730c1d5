"""Gets a group of arrivals into the store: a store that is sick is waited for, an arrival that it cannot take is set
apart.

A group is tried until it is stored. Meanwhile nothing of it is acknowledged or receipted, so a broker that limits what
it hands out stops, the nodes keep the rest, and no connection has to be given up, which orders need as well.
"""

import threading
import time
from collections.abc import Callable, Iterator

from controller.ingest.model import UNFIT, Group, GroupResult, RecordArrival, Rejection
from controller.ingest.ports import TelemetryStore
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger
from shared.wire.codec import encode
from shared.wire.topics import up

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

log = get_logger(__name__)


class Work:
    """Since when a thread is at one piece of work; read by others."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def begin(self) -> None:
        self._since_s = time.monotonic()

    def rest(self) -> None:
        """Nothing to do, or nothing to be done but wait."""
        self._since_s = None

    def lasts_s(self) -> float:
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s


class Storing:
    """Belongs to one thread. `on_trouble` is called in it with what is wrong when storing begins to fail, and with
    nothing after the first group and when it works again.
    """

    def __init__(self, store: TelemetryStore, clock: Clock, stopping: threading.Event, work: Work) -> None:
        self.on_trouble: Callable[[str], None] = _nothing
        self._work = work
        self._store = store
        self._clock = clock
        self._stopping = stopping
        self._trouble: str | None = None  # unknown until something was stored

    def put(self, group: Group) -> GroupResult | None:
        """What became of it, after the commit; None where we are stopped before."""
        try:
            return self._until_stored(group)
        except _Stopped:
            return None
        except Exception:  # whatever an arrival can break: the others must not suffer for it
            log.exception("ingest.group-refused")
        try:
            return self._one_by_one(group)
        except _Stopped:
            return None

    def _until_stored(self, group: Group) -> GroupResult:
        failures = 0
        while not self._stopping.is_set():
            self._work.begin()
            try:
                result = self._store.store(group, self._clock.now_ms())
            except StorageError as error:
                log.warning("ingest.not-stored", code=error.code, detail=error.detail, failures=failures)
                self._tell(str(error))
                self._work.rest()
                self._stopping.wait(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 16)))
                failures += 1
            else:
                self._tell("")
                return result
        raise _Stopped

    def _one_by_one(self, group: Group) -> GroupResult:
        total = GroupResult(marks={}, fresh=[], rejected=[])
        for part in _parts(group):
            try:
                result = self._until_stored(part)
            except _Stopped:
                raise
            except Exception as error:  # this is the one
                result = self._set_apart(part, error)
            _add(total, result)
        return total

    def _set_apart(self, part: Group, error: Exception) -> GroupResult:
        """Into quarantine with its error; where not even that can be stored, it is counted and will come again."""
        rejection = _rejected(part, error)
        try:
            result = self._until_stored(Group([], [], [rejection]))
        except _Stopped:
            raise
        except Exception:
            log.exception("ingest.not-even-quarantined", topic=rejection.topic)
            result = GroupResult()
        result.rejected = [*result.rejected, rejection]
        return result

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self.on_trouble(trouble)


class _Stopped(Exception):
    """Ends an attempt; never leaves this module."""


def _parts(group: Group) -> Iterator[Group]:
    yield from (Group([], [], [rejection]) for rejection in group.rejections)
    yield from (Group([record], [], []) for record in group.records)
    yield from (Group([], [hello], []) for hello in group.hellos)


def _rejected(part: Group, error: Exception) -> Rejection:
    if part.rejections:
        return part.rejections[0]
    detail = f"{type(error).__name__}: {error}"
    if part.hellos:
        hello = part.hellos[0]
        return Rejection(up(hello.site, hello.node, "hello"), UNFIT, detail, encode(hello.hello))
    record: RecordArrival = part.records[0]
    identity = (record.site, record.node, record.epoch, record.seq)
    return Rejection(f"{record.site}/{record.node}", UNFIT, detail, record.body, identity)


def _add(total: GroupResult, result: GroupResult) -> None:
    total.marks.update(result.marks)
    total.fresh += result.fresh
    total.rejected += result.rejected
    total.duplicates += result.duplicates
    total.samples += result.samples
    total.inbox += result.inbox


def _nothing(_trouble: str) -> None:
    pass
