"""What can this broker be trusted with? Asked at start, before anything is built on it.

Brokers differ in what they promise and sometimes promise more than they do; nothing here relies on shared
subscriptions or on persistence, so only what the lanes need is tried.
"""

import queue
import secrets
import time

import msgspec

from shared.errors import GatewayRefused
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.wire.codec import MAX_MESSAGE_BYTES

_ROUNDS = 5


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """`latency_ms` is the median there and back; `payload_bytes` the largest that came back, 0 where none did."""

    latency_ms: float | None
    payload_bytes: int
    retained: bool

    @property
    def problems(self) -> tuple[str, ...]:
        """Empty where the broker can carry the lanes."""
        found = []
        if self.latency_ms is None:
            found.append("a message published at QoS 1 did not come back")
        if self.payload_bytes < MAX_MESSAGE_BYTES:
            found.append(f"messages of {MAX_MESSAGE_BYTES} bytes do not pass; raise the broker's packet size limit")
        if not self.retained:
            found.append("a retained message was not kept; presence and plans need that")
        return tuple(found)


def probe(settings: MqttSettings) -> BrokerReport:
    """Try it out; blocks for a few answer timeouts at most. GatewayRefused where no session comes about."""
    prober = _Prober(settings)
    try:
        latencies = [ms for _ in range(_ROUNDS) if (ms := prober.round_trip_ms(b"ping")) is not None]
        big = prober.round_trip_ms(bytes(MAX_MESSAGE_BYTES))
        return BrokerReport(
            latency_ms=sorted(latencies)[len(latencies) // 2] if latencies else None,
            payload_bytes=MAX_MESSAGE_BYTES if big is not None else 0,
            retained=prober.keeps_retained(),
        )
    finally:
        prober.session.stop()


class _Prober:
    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._topic = f"bes/v1/selftest/{secrets.token_hex(8)}"
        self._arrived: queue.Queue[bytes] = queue.Queue()
        self.session = self._session()

    def round_trip_ms(self, payload: bytes) -> float | None:
        started_s = time.monotonic()
        if not self.session.publish(self._topic, payload):
            return None
        return (time.monotonic() - started_s) * 1000 if self._arrives(payload) else None

    def keeps_retained(self) -> bool:
        """Does a later session get it? Leaves nothing behind."""
        marker = secrets.token_bytes(8)
        self.session.publish(self._topic, marker, retain=True)
        if not self._arrives(marker):
            return False
        late = self._session()
        kept = self._arrives(marker)
        late.stop()
        self.session.publish(self._topic, b"", retain=True)
        return kept

    def _arrives(self, payload: bytes) -> bool:
        deadline_s = time.monotonic() + self._settings.answer_timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                if self._arrived.get(timeout=left_s) == payload:
                    return True
            except queue.Empty:
                break
        return False

    def _session(self) -> MqttSession:
        up: queue.Queue[None] = queue.Queue()

        def keep(message: Message) -> None:
            self._arrived.put(message.payload)

        endpoint = Endpoint(f"bes-selftest-{secrets.token_hex(4)}", (Subscription(self._topic),))
        session = MqttSession(self._settings, endpoint, keep)
        session.on_up = lambda: up.put(None)
        session.start()
        try:
            up.get(timeout=self._settings.answer_timeout_s)
        except queue.Empty:
            session.stop()
            place = f"{self._settings.host}:{self._settings.port}"
            raise GatewayRefused(f"broker {place} gave no session for its self-test") from None
        return session
