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
_WINDOW = 64  # messages that must come before the first of them is acknowledged
_QUIET_S = 0.5


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """`latency_ms` is the median there and back; `payload_bytes` the largest that came back, 0 where none did;
    `window` how many of `_WINDOW` messages came unacknowledged. What was not tried, because nothing came back at all,
    did not work.
    """

    latency_ms: float | None
    payload_bytes: int = 0
    retained: bool = False
    window: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Empty where the broker can carry the lanes."""
        found = []
        if self.latency_ms is None:
            return ("a message published at QoS 1 did not come back; allow bes/v1/selftest/+ in its access list",)
        if self.window < _WINDOW:
            found.append(
                f"it waits for an acknowledgement after {self.window} messages, which makes groups small and slow; "
                "set max_inflight_messages 0"
            )
        if self.payload_bytes < MAX_MESSAGE_BYTES:
            found.append(f"messages of {MAX_MESSAGE_BYTES} bytes do not pass; raise max_packet_size")
        if not self.retained:
            found.append("a retained message was not kept, which presence and plans need; set retain_available true")
        return tuple(found)


def probe(settings: MqttSettings) -> BrokerReport:
    """Try it out; blocks for a few answer timeouts at most. GatewayRefused where no session comes about."""
    prober = _Prober(settings)
    try:
        first_ms = prober.round_trip_ms(b"ping")
        if first_ms is None:
            return BrokerReport(latency_ms=None)
        others = (prober.round_trip_ms(b"ping") for _ in range(_ROUNDS - 1))
        latencies = [first_ms, *(ms for ms in others if ms is not None)]
        big = prober.round_trip_ms(bytes(MAX_MESSAGE_BYTES))
        return BrokerReport(
            latency_ms=sorted(latencies)[len(latencies) // 2],
            payload_bytes=MAX_MESSAGE_BYTES if big is not None else 0,
            retained=prober.keeps_retained(),
            window=prober.window(),
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
        """Does a later session get it? Leaves nothing behind. One session at a time: a broker that knows us by our
        certificate gives both the same client id.
        """
        marker = secrets.token_bytes(8)
        self.session.publish(self._topic, marker, retain=True)
        if not self._arrives(marker):
            return False
        self.session.stop()
        self.session = self._session()
        kept = self._arrives(marker)
        self.session.publish(self._topic, b"", retain=True)
        return kept

    def window(self) -> int:
        """How many messages come before one is acknowledged. The session of this test acknowledges nothing."""
        self.session.stop()
        self.session = self._session(manual_ack=True)
        for number in range(_WINDOW):
            self.session.publish(self._topic, b"%d" % number)
        came = 0
        try:
            while came < _WINDOW:
                self._arrived.get(timeout=min(self._settings.answer_timeout_s, _QUIET_S))
                came += 1
        except queue.Empty:
            pass
        return came

    def _arrives(self, payload: bytes) -> bool:
        deadline_s = time.monotonic() + self._settings.answer_timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                if self._arrived.get(timeout=left_s) == payload:
                    return True
            except queue.Empty:
                break
        return False

    def _session(self, *, manual_ack: bool = False) -> MqttSession:
        up: queue.Queue[None] = queue.Queue()

        def keep(message: Message) -> None:
            self._arrived.put(message.payload)

        endpoint = Endpoint(f"bes-selftest-{secrets.token_hex(4)}", (Subscription(self._topic),), manual_ack=manual_ack)
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
