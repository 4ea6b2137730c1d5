"""`Uplink`: everything between the node and its broker."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from nacl.signing import VerifyKey

from agent.spool import Spool
from agent.uplink.forwarder import Forwarder
from agent.uplink.inbox import Handler, Inbox
from agent.uplink.latest import Latest
from agent.uplink.model import Node, UplinkCounters, UplinkSettings
from agent.uplink.urgent import Urgent
from shared.clock import Clock, SystemClock
from shared.errors import DecodeFailed
from shared.mqtt import Endpoint, Message, MqttSession, Subscription, Will
from shared.wire.codec import encode
from shared.wire.event import EventBatch
from shared.wire.record import Presence
from shared.wire.topics import all_down, parse
from shared.wire.version import WIRE_VERSION


class Uplink:
    """`trusted` are the controller's keys by id. `handlers` take the raw bytes of a down leaf (`command`, `policy`,
    `config`, `signing`) on the event loop, one at a time; what they raise is counted and logged.
    """

    def __init__(
        self,
        node: Node,
        spool: Spool,
        *,
        trusted: Mapping[str, VerifyKey],
        handlers: Mapping[str, Handler] | None = None,
        settings: UplinkSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._node = node
        self._settings = settings or UplinkSettings()
        self._clock = clock or SystemClock()
        self._handlers = dict(handlers or {})
        self._inboxes: dict[str, Inbox] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.session = MqttSession(
            self._settings.mqtt,
            Endpoint(
                node.client_id,
                subscriptions=(Subscription(all_down(node.site, node.name)),),
                will=Will(node.up("presence"), encode(Presence(WIRE_VERSION, False, node.boot_id))),
                window=2 * self._settings.window,
            ),
            self._received,
        )
        self._forwarder = Forwarder(spool, self.session, node, trusted, self._settings, self._clock)
        self._urgent = Urgent(self.session, node, self._forwarder.hello)
        self._latest = Latest(self.session, node.up("latest"), self._settings.latest_every_s)

    @property
    def connected(self) -> bool:
        return self.session.connected

    def last_heard_s(self) -> float:
        """Seconds since the broker's last sign of life."""
        return self.session.last_heard_s()

    @property
    def counters(self) -> UplinkCounters:
        return self._forwarder.counters

    def latest(self, message: msgspec.Struct) -> None:
        """Show this as the present state; only the newest is sent, and none is kept."""
        self._latest.offer(message)

    def urgent(self, events: EventBatch) -> bool:
        """Tell this past the spool, which cannot be written; False where no live line took it."""
        return self._urgent.tell(events)

    def tell(self, leaf: str, payload: bytes) -> bool:
        """Send past the spool what is asked for again until it arrives; False where no live line took it."""
        return self.session.publish(self._node.up(leaf), payload)

    async def start(self) -> None:
        """Returns at once; connecting goes on behind."""
        loop = asyncio.get_running_loop()
        handlers: dict[str, Handler] = {"receipt": self._forwarder.receive, **self._handlers}
        for leaf, handler in handlers.items():
            self._inboxes[leaf] = Inbox(leaf, handler, self.counters, self._settings.inbox_limit)
        self._tasks = [
            loop.create_task(self._forwarder.run(), name="uplink-forwarder"),
            loop.create_task(self._latest.run(), name="uplink-latest"),
        ]
        self.session.on_up = lambda: self._came_up(loop)
        self.session.on_down = lambda: _on_loop(loop, self._forwarder.went_down)
        self.session.start()

    async def stop(self) -> None:
        self.session.publish(self._node.up("presence"), encode(self._presence(online=False)), retain=True)
        await asyncio.to_thread(self.session.stop)
        for inbox in self._inboxes.values():
            await inbox.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _came_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self.session.publish(self._node.up("presence"), encode(self._presence(online=True)), retain=True)
        _on_loop(loop, self._forwarder.came_up)

    def _received(self, message: Message) -> None:
        try:
            address = parse(message.topic, "down")
        except DecodeFailed as error:
            self.counters.refuse(error.code)
            return
        inbox = self._inboxes.get(address.leaf)
        if inbox is not None:
            inbox.put_from_thread(message.payload)

    def _presence(self, *, online: bool) -> Presence:
        return Presence(WIRE_VERSION, online, self._node.boot_id, self._clock.now_ms())


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
