"""The least that a controller does for an agent: hear everything, store it in memory, give signed receipts.

It stands in for the controller where a benchmark measures the agent alone.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from nacl.signing import SigningKey

from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.wire.codec import decode, unpack
from shared.wire.command import OutcomeBatch
from shared.wire.event import Inventory
from shared.wire.record import RECEIPT_DOMAIN, Hello, Receipt, Record, RecordKind
from shared.wire.telemetry import TelemetryBatch
from shared.wire.topics import all_up, down, parse
from shared.wire.version import WIRE_VERSION

Body = TelemetryBatch | OutcomeBatch | Inventory
_BODIES: dict[int, type[Body]] = {
    RecordKind.TELEMETRY: TelemetryBatch,
    RecordKind.RESULT: OutcomeBatch,
    RecordKind.INVENTORY: Inventory,
}


class Sink:
    """`received` is called in the network thread with each body and when it arrived (wall ms). A context manager."""

    def __init__(self, mqtt: MqttSettings, key: SigningKey, received: Callable[[Body, int], None]) -> None:
        self._key = key
        self._received = received
        self._marks: dict[str, int] = {}
        self._early: dict[str, set[int]] = {}
        self._up = threading.Event()
        self.records = 0
        endpoint = Endpoint(f"sink-{key_id(key.verify_key)[:6]}", subscriptions=(Subscription(all_up()),))
        self.session = MqttSession(mqtt, endpoint, self._message)
        self.session.on_up = self._up.set

    def __enter__(self) -> Self:
        self.session.start()
        self._up.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.stop()

    def _message(self, message: Message) -> None:
        address = parse(message.topic, "up")
        if address.leaf == "hello":
            hello = decode(message.payload, Hello)
            self._marks[hello.epoch] = max(self._marks.get(hello.epoch, 0), hello.lowest_seq - 1)
            self._receipt(address.site, address.node, hello.epoch)
        elif address.leaf in ("telemetry", "result", "event"):
            record = decode(message.payload, Record)
            self._take(record)
            self._receipt(address.site, address.node, record.epoch)

    def _take(self, record: Record) -> None:
        """Each record once; the mark moves over what arrived without a hole."""
        mark, early = self._marks.get(record.epoch, 0), self._early.setdefault(record.epoch, set())
        if record.seq <= mark or record.seq in early:
            return
        early.add(record.seq)
        while mark + 1 in early:
            mark += 1
            early.discard(mark)
        self._marks[record.epoch] = mark
        self.records += 1
        kind = _BODIES.get(record.kind)
        if kind is not None:
            self._received(unpack(record.body, kind), time.time_ns() // 1_000_000)

    def _receipt(self, site: str, node: str, epoch: str) -> None:
        issued_at_ms = time.time_ns() // 1_000_000
        receipt = Receipt(WIRE_VERSION, site, node, epoch, self._marks[epoch], issued_at_ms)
        self.session.publish(down(site, node, "receipt"), seal(RECEIPT_DOMAIN, receipt, [self._key]))
