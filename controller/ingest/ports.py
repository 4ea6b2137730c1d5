"""What ingest needs of storage, of the broker and of those who live on telemetry."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import msgspec

from controller.fleet.model import RecordIdentity
from controller.ingest.model import Group, GroupResult, InboxItem, Refused
from shared.mqtt import Message
from shared.wire.record import Hello, Receipt, RecordKind
from shared.wire.telemetry import TelemetryBatch


class TelemetryStore(Protocol):
    """`store` is called by one thread; it returns after the commit or raises with nothing stored: StorageError where
    the store is sick, anything else where the group holds what no store of this kind can take.
    """

    def store(self, group: Group, now_ms: int) -> GroupResult: ...

    async def inbox(
        self, limit: int, *, after: int = 0, kinds: Sequence[int] = tuple(RecordKind)
    ) -> Sequence[InboxItem]:
        """The oldest rows above number `after` that no consumer has taken; those of other kinds wait."""
        ...

    async def inbox_done(self, numbers: Sequence[int]) -> None: ...

    async def inbox_refused(self, item: InboxItem, refused: Refused) -> None:
        """Out of the inbox and into quarantine, with every byte."""
        ...


class ReceiptChannel(Protocol):
    """The broker. Called by the worker's thread."""

    def ack(self, messages: Sequence[Message]) -> None: ...

    def publish_receipt(self, receipt: Receipt) -> bool:
        """Signed; lost ones do no harm, since nodes ask again."""
        ...

    def reset(self) -> None:
        """Begin a new connection, on which nothing is owed: what was not acknowledged comes again from the nodes."""
        ...


class TelemetrySink(Protocol):
    """Takes each stored batch once, and the unaccounted live ones, on the event loop. Newer samples may have come
    before: a sink goes by `observed_at_ms`.
    """

    def apply(self, site: str, node: str, batch: TelemetryBatch) -> object: ...


class NodeWatcher(Protocol):
    """Learns who is there; `controller.fleet.FleetService` is one."""

    def contact(self, site: str, node: str) -> None: ...

    async def handle_hello(self, site: str, node: str, hello: Hello) -> None: ...


class InboxRoute(NamedTuple):
    """Consumer of one kind of record. `handle` may see a record again after a crash and must take it once."""

    message: type[msgspec.Struct]
    handle: Callable[[str, str, Any, RecordIdentity], Awaitable[None]]


class Audience(NamedTuple):
    """Everybody who lives on what arrives. A kind of record without a route waits in the inbox. `online` is told of a
    node (site, name) each time that it or the broker says that it is connected; `packets` takes what a signing box says
    (site, name, bytes), which is asked for again where it is lost.
    """

    sinks: tuple[TelemetrySink, ...] = ()
    watcher: NodeWatcher | None = None
    routes: Mapping[RecordKind, InboxRoute] = MappingProxyType({})
    online: Callable[[str, str], Awaitable[None]] | None = None
    packets: Callable[[str, str, bytes], Awaitable[None]] | None = None
