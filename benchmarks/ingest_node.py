"""A node for the ingest benchmark, a process of its own: records as an agent sends them, within the window that the
receipts open. Run as `python -m benchmarks.ingest_node PORT NODE FIRST MINERS SAMPLES`.

Bodies are packed before the start, so that what is measured is the controller and not this process. Prints "ready",
then for each line "SECONDS RECORDS_PER_S" that it reads sends so long and prints one JSON object.
"""

import json
import sys
import threading
import time

from benchmarks.site_load import site_batch
from shared import log
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.wire.codec import decode, encode, pack
from shared.wire.envelope import Envelope
from shared.wire.record import Hello, Receipt, Record, RecordKind, checksum
from shared.wire.topics import down, up
from shared.wire.version import WIRE_VERSION

SITE = "north"
EPOCH = "0" * 32
WINDOW = 200
_CYCLES = 20
_START_MS = 1_790_000_000_000


class Node:
    """Counts what the controller says it has; keeps the time from publishing a record to its receipt."""

    def __init__(self, port: int, name: str, first: int, miners: int, samples: int) -> None:
        self._name = name
        self._bodies = [
            pack(site_batch(first + start, samples, _START_MS + cycle * 5_000, cycle=cycle))
            for cycle in range(_CYCLES)
            for start in range(0, miners, samples)
        ]
        self._samples = samples
        self._mark = 0
        self._seq = 0
        self._sent_s: dict[int, float] = {}
        self._waits_ms: list[float] = []
        self._moved = threading.Condition()
        self.up = threading.Event()
        endpoint = Endpoint(name, (Subscription(down(SITE, name, "receipt")),), window=2 * WINDOW)
        self.session = MqttSession(MqttSettings(port=port), endpoint, self._receipt)
        self.session.on_up = self.up.set

    def hello(self) -> None:
        greeting = Hello(WIRE_VERSION, EPOCH, 1, 0, 0, "boot", "site", "bench", 0)
        self.session.publish(up(SITE, self._name, "hello"), encode(greeting))

    def send_for(self, seconds: float, records_per_s: float) -> None:
        """As fast as the window allows, or at a pace where one is given (above 0)."""
        topic = up(SITE, self._name, "telemetry")
        started_s = time.monotonic()
        count = 0
        while time.monotonic() - started_s < seconds:
            with self._moved:
                if not self._moved.wait_for(lambda: self._seq - self._mark < WINDOW, timeout=seconds):
                    return
            self._send(topic)
            count += 1
            if records_per_s:
                time.sleep(max(0.0, started_s + count / records_per_s - time.monotonic()))

    def settle(self, seconds: float) -> bool:
        """Has everything been receipted?"""
        with self._moved:
            return self._moved.wait_for(lambda: self._mark == self._seq, timeout=seconds)

    def report(self, settled: bool) -> dict[str, object]:
        """What was sent so far, and the waits since the last report."""
        waits_ms, self._waits_ms = sorted(self._waits_ms), []
        median, slow = (waits_ms[len(waits_ms) * share // 100] if waits_ms else None for share in (50, 99))
        return {"sent": self._seq, "settled": settled, "p50_ms": median, "p99_ms": slow}

    def _send(self, topic: str) -> None:
        self._seq += 1
        body = self._bodies[self._seq % len(self._bodies)]
        crc = checksum(self._seq, body)
        record = Record(WIRE_VERSION, EPOCH, self._seq, RecordKind.TELEMETRY, crc, self._samples, body)
        self._sent_s[self._seq] = time.monotonic()
        self.session.publish(topic, encode(record))

    def _receipt(self, message: Message) -> None:
        receipt = decode(decode(message.payload, Envelope).payload, Receipt)
        now_s = time.monotonic()
        with self._moved:
            for seq in range(self._mark + 1, receipt.mark + 1):
                self._waits_ms.append((now_s - self._sent_s.pop(seq)) * 1000)
            self._mark = max(self._mark, receipt.mark)
            self._moved.notify()


def main() -> None:
    log.configure(level="warning")
    port, name, first, miners, samples = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    node = Node(port, name, first, miners, samples)
    node.session.start()
    node.up.wait(10)
    node.hello()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, records_per_s = map(float, line.split())
        node.send_for(seconds, records_per_s)
        print(json.dumps(node.report(node.settle(10.0))), flush=True)
    node.session.stop()


if __name__ == "__main__":
    main()
