"""`Ingest`: the one worker between the broker and the store."""

import asyncio
import math
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine

import msgspec

from controller.ingest.consumer import InboxConsumer
from controller.ingest.decode import Decoder
from controller.ingest.model import Group, GroupResult, HelloArrival, RecordArrival, Rejection
from controller.ingest.ports import Audience, NodeWatcher, ReceiptChannel, TelemetryStore
from controller.ingest.storing import Storing, Work
from shared.clock import Clock, SystemClock
from shared.errors import BesError, WireError
from shared.log import get_logger
from shared.mqtt import Message
from shared.wire.codec import decode
from shared.wire.record import Presence, Receipt
from shared.wire.telemetry import TelemetryBatch
from shared.wire.topics import Address, parse
from shared.wire.version import WIRE_VERSION

log = get_logger(__name__)


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A group is at most `group_messages` and about `group_bytes`; at most `queue_messages` wait for their turn."""

    group_messages: int = 500
    group_bytes: int = 8 << 20
    queue_messages: int = 10_000


class IngestCounters:
    """Monotonic; shown at /metrics. `rejected` counts by code."""

    def __init__(self) -> None:
        self.messages = 0
        self.records = 0
        self.samples = 0
        self.duplicates = 0
        self.groups = 0
        self.receipts = 0
        self.overflowed = 0
        self.rejected: dict[str, int] = {}

    def reject(self, code: str) -> None:
        self.rejected[code] = self.rejected.get(code, 0) + 1


class Ingest:
    """`offer` takes messages from the broker's thread. Sinks, watcher and `consumer` run on the event loop, and so does
    `on_trouble`, which is told why nothing can be stored, and with nothing when it can.
    """

    def __init__(
        self,
        store: TelemetryStore,
        channel: ReceiptChannel,
        audience: Audience,
        settings: IngestSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.counters = IngestCounters()
        self.on_trouble: Callable[[str], None] = _nothing
        self._channel = channel
        self._sinks = audience.sinks
        self._watcher = audience.watcher
        self._online = audience.online
        self._packets = audience.packets
        self._settings = settings or IngestSettings()
        self._clock = clock or SystemClock()
        self._decoder = Decoder({kind: route.message for kind, route in audience.routes.items()})
        self.consumer = InboxConsumer(store, audience.routes)
        self._queue: queue.Queue[Message | None] = queue.Queue(self._settings.queue_messages)
        self._stopping = threading.Event()
        self._at_work = Work()
        self._storing = Storing(store, self._clock, self._stopping, self._at_work)
        self._storing.on_trouble = self._troubled
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spawn(self.consumer.run())
        self._thread = threading.Thread(target=self._work, name="ingest", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """What is not stored yet was never receipted, so the nodes keep it."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._queue.put, None)
            await asyncio.to_thread(self._thread.join)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def busy_s(self) -> float:
        """How long the worker has been at one thing; 0 where it waits for messages or for a sick store to recover,
        infinite where it has ended.
        """
        if self._thread is None or not self._thread.is_alive():
            return math.inf
        return self._at_work.lasts_s()

    def offer(self, message: Message) -> None:
        """A full queue drops the message; its node sends it again, since no receipt comes."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.counters.overflowed += 1
            self._channel.ack([message])

    # The worker's thread

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._at_work.rest()
            messages = self._next_messages()
            self._at_work.begin()
            if messages:
                try:
                    self._process(messages)
                except Exception:  # a worker that ends would stall every node, and so would what nobody acknowledges
                    log.exception("ingest.group-failed")
                    self._channel.reset()

    def _next_messages(self) -> list[Message]:
        """All that waits, up to the limits; waits for the first."""
        messages: list[Message] = []
        size = 0
        while len(messages) < self._settings.group_messages and size < self._settings.group_bytes:
            try:
                message = self._queue.get(block=not messages)
            except queue.Empty:
                break
            if message is None:
                break
            messages.append(message)
            size += len(message.payload)
        return messages

    def _process(self, messages: list[Message]) -> None:
        group = Group([], [], [])
        live: list[tuple[Address, TelemetryBatch]] = []
        for message in messages:
            self._sort(message, group, live)
        self.counters.messages += len(messages)
        result = self._storing.put(group)
        if result is None:
            return
        self._channel.ack(messages)
        self._send_receipts(result)
        self._count(group, result)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell, group, result, live)

    def _sort(self, message: Message, group: Group, live: list[tuple[Address, TelemetryBatch]]) -> None:
        """Put one message where it belongs; what cannot be understood goes to quarantine."""
        try:
            address = parse(message.topic, "up")
            if address.leaf == "hello":
                group.hellos.append(self._decoder.hello(address, message.payload))
            elif address.leaf == "latest":
                live.append((address, self._decoder.live(message.payload)))
            elif address.leaf == "presence":
                self._heard_presence(address, decode(message.payload, Presence))
            elif address.leaf == "signature":
                self._heard_packet(address, message.payload)
            else:
                arrival = self._decoder.record(address, message.topic, message.payload)
                if isinstance(arrival, RecordArrival):
                    group.records.append(arrival)
                else:
                    group.rejections.append(arrival)
        except WireError as error:
            group.rejections.append(Rejection(message.topic, error.code, error.detail, message.payload))
        except Exception as error:  # a bug of ours that one message finds must not cost the others
            log.exception("ingest.sort-failed", topic=message.topic)
            group.rejections.append(Rejection(message.topic, BesError.code, repr(error), message.payload))

    def _heard_presence(self, address: Address, presence: Presence) -> None:
        if presence.online and self._online is not None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._spawn, self._welcome(self._online, address))

    def _heard_packet(self, address: Address, packet: bytes) -> None:
        if self._packets is not None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._spawn, self._pass_on(self._packets, address, packet))

    def _send_receipts(self, result: GroupResult) -> None:
        """One a lane, however many records came."""
        now_ms = self._clock.now_ms()
        for (site, node, epoch), mark in result.marks.items():
            self._channel.publish_receipt(Receipt(WIRE_VERSION, site, node, epoch, mark, now_ms))
            self.counters.receipts += 1

    def _count(self, group: Group, result: GroupResult) -> None:
        self.counters.groups += 1
        self.counters.records += len(result.fresh)
        self.counters.samples += result.samples
        self.counters.duplicates += result.duplicates
        for rejection in (*group.rejections, *result.rejected):
            self.counters.reject(rejection.code)
            log.warning("ingest.rejected", topic=rejection.topic, code=rejection.code, detail=rejection.detail)

    def _troubled(self, trouble: str) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._on_trouble, trouble)

    # The event loop

    def _on_trouble(self, trouble: str) -> None:
        self.on_trouble(trouble)

    def _tell(self, group: Group, result: GroupResult, live: list[tuple[Address, TelemetryBatch]]) -> None:
        for record in result.fresh:
            if isinstance(record.message, TelemetryBatch):
                self._apply(record.site, record.node, record.message)
        for address, batch in live:
            self._apply(address.site, address.node, batch)
        if self._watcher is not None:
            heard = {(site, node) for site, node, _ in result.marks} | {(a.site, a.node) for a, _ in live}
            for site, node in heard:
                self._watcher.contact(site, node)
            for arrival in group.hellos:
                if not arrival.hello.salvaged:
                    self._spawn(self._greet(self._watcher, arrival))
        if result.inbox:
            self.consumer.wake()

    def _apply(self, site: str, node: str, batch: TelemetryBatch) -> None:
        for sink in self._sinks:
            try:
                sink.apply(site, node, batch)
            except Exception:  # one sink's bug must not keep telemetry from the others
                log.exception("ingest.sink-failed", sink=type(sink).__name__, site=site, node=node)

    async def _greet(self, watcher: NodeWatcher, arrival: HelloArrival) -> None:
        try:
            await watcher.handle_hello(arrival.site, arrival.node, arrival.hello)
        except Exception:  # the node says hello again at its next connection
            log.exception("ingest.hello-failed", site=arrival.site, node=arrival.node)

    async def _welcome(self, online: Callable[[str, str], Awaitable[None]], address: Address) -> None:
        try:
            await online(address.site, address.node)
        except Exception:  # the node is told at its next connection
            log.exception("ingest.online-failed", site=address.site, node=address.node)

    async def _pass_on(
        self, packets: Callable[[str, str, bytes], Awaitable[None]], address: Address, packet: bytes
    ) -> None:
        try:
            await packets(address.site, address.node, packet)
        except Exception:  # the money door asks the box again
            log.exception("ingest.packet-failed", site=address.site, node=address.node)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nothing(_trouble: str) -> None:
    pass
