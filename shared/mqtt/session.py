"""A session that outlives its connections."""

import random
import threading
import time
from collections.abc import Callable, Sequence

from shared.errors import GatewayError, GatewayUnavailable, SettingInvalid
from shared.log import get_logger
from shared.mqtt.connection import SILENCE_FACTOR, Connection
from shared.mqtt.message import Endpoint, Message
from shared.mqtt.settings import MqttSettings

_SETTLED_S = 10.0  # a connection that lived so long was a good one: back off from the start again
_WATCH_S = 1.0

log = get_logger(__name__)


class Counters:
    """Monotonic; the controller shows its own at /metrics."""

    def __init__(self) -> None:
        self.connected = 0
        self.lost = 0
        self.failed = 0
        self.published = 0
        self.not_published = 0
        self.received = 0


class MqttSession:
    """`on_message`, `on_up` and `on_down` run in threads of the session and must not block.

    `ack` (for endpoints with `manual_ack`) takes messages of the present connection in the order they came and ignores
    those of older ones.
    """

    def __init__(self, settings: MqttSettings, endpoint: Endpoint, on_message: Callable[[Message], None]) -> None:
        self.counters = Counters()
        self.on_up: Callable[[], None] = _nothing
        self.on_down: Callable[[], None] = _nothing
        self._settings = settings
        self._endpoint = endpoint
        self._on_message = on_message
        self._tls = settings.tls.context() if settings.tls is not None else None
        self._connection: Connection | None = None
        self._generation = 0
        self._heard_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns at once; connecting goes on behind, for ever."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{self._endpoint.client_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            connection.close(politely=True)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def last_heard_s(self) -> float:
        """Seconds since the broker's last sign of life, over all connections."""
        connection = self._connection
        silent_s = connection.silent_s() if connection is not None else float("inf")
        return min(silent_s, time.monotonic() - self._heard_s)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Handed to a live connection? Nothing is kept for later: whoever must not lose it keeps it."""
        connection = self._connection
        done = connection is not None and connection.publish(topic, payload, qos, retain)
        if done:
            self.counters.published += 1
        else:
            self.counters.not_published += 1
        return done

    def deliver(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Blocks until the broker has taken it over; GatewayUnavailable where it does not within the timeout."""
        connection = self._connection
        if connection is None or not connection.deliver(topic, payload, retain):
            self.counters.not_published += 1
            raise GatewayUnavailable(f"no broker took the message for {topic}")
        self.counters.published += 1

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledge in the order received."""
        connection = self._connection
        for message in messages:
            if connection is not None and message.generation == connection.generation:
                connection.ack(message.mid, message.qos)

    def reconnect(self) -> None:
        """End the present connection; the next one begins after the usual pause, with nothing owed on either side."""
        connection = self._connection
        if connection is not None:
            connection.lost.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                self._live_once()
            except GatewayError as error:
                self.counters.failed += 1
                log.warning("mqtt.unreachable", code=error.code, detail=error.detail, failures=failures)
            except Exception:  # a session that ended for good would be the worst outcome
                log.exception("mqtt.session-failed")
            failures = 0 if time.monotonic() - started_s > _SETTLED_S else failures + 1
            self._stopping.wait(self._pause_s(failures))

    def _live_once(self) -> None:
        self._generation += 1
        self._renew()
        connection = Connection(self._settings, self._endpoint, self._generation, self._received, self._tls)
        try:
            connection.open()
            self._connection = connection
            self.counters.connected += 1
            log.info("mqtt.up", broker=f"{self._settings.host}:{self._settings.port}", generation=self._generation)
            self.on_up()
            self._watch(connection)
        finally:
            was_up, self._connection = self._connection is not None, None
            connection.close()
        if was_up:
            self._heard_s = time.monotonic()
            self.counters.lost += 1
            log.info("mqtt.down", generation=self._generation)
            self.on_down()

    def _renew(self) -> None:
        """Take the certificates as they are on the disk now; while one of them does not serve, those from before."""
        if self._settings.tls is None:
            return
        try:
            self._tls = self._settings.tls.context()
        except SettingInvalid as error:
            log.warning("mqtt.certificate-unusable", code=error.code, detail=error.detail)

    def _watch(self, connection: Connection) -> None:
        """Until it is lost, or nothing was heard for longer than a live broker would be silent."""
        patience_s = self._settings.keepalive_s * SILENCE_FACTOR
        while not connection.lost.wait(min(_WATCH_S, patience_s / 4)) and not self._stopping.is_set():
            silent_s = connection.silent_s()
            if silent_s > patience_s:
                log.warning("mqtt.silent", silent_s=round(silent_s, 1))
                return

    def _received(self, message: Message) -> None:
        self.counters.received += 1
        self._on_message(message)

    def _pause_s(self, failures: int) -> float:
        """Full jitter, so that a fleet does not come back in one wave."""
        ceiling_s = min(self._settings.backoff_max_s, self._settings.backoff_first_s * 2.0 ** min(failures, 16))
        return random.uniform(0, ceiling_s)


def _nothing() -> None:
    pass
