"""A node for the ingest benchmark, a process of its own: records as an agent sends them, within the window that the
receipts open. Run as `python -m benchmarks.ingest_node PORT NODE`, then the numbers of `Load`.

Bodies are packed before the start, so that what is measured is the controller and not this process. It says hello until
the controller answers, tells its inventory and prints "ready"; then for each line "SECONDS RECORDS_PER_S" that it reads
it sends so long and prints one JSON object.
"""

import json
import sys
import threading
import time
from typing import NamedTuple

from benchmarks.site_load import miner_mac, miner_name, site_batch
from shared import log
from shared.clock import SystemClock
from shared.errors import GatewayUnavailable
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.site import Feeder, Placement, Site
from shared.states import DeviceKind
from shared.wire.codec import decode, encode, pack
from shared.wire.envelope import Envelope
from shared.wire.event import DeviceRecord, Inventory
from shared.wire.record import Hello, Receipt, Record, RecordKind, checksum
from shared.wire.topics import down, up
from shared.wire.version import WIRE_VERSION

SITE = "north"
EPOCH = "0" * 32
WINDOW = 200
_CYCLE_MS = 5_000
_INTRODUCED_S = 60.0
_SETTLED_S = 120.0
_FIRST_SEQ = 2  # the first record is the inventory


class Load(NamedTuple):
    """Miners `first` to `first` + `miners` - 1 of a site of `site_miners`; `cycles` of them, ending about now, are
    packed in records of `samples`. Whoever sends more begins again.
    """

    first: int
    miners: int
    samples: int
    site_miners: int
    cycles: int


class Node:
    """Counts what the controller says it has; keeps the time from publishing a record to its receipt."""

    def __init__(self, port: int, name: str, load: Load) -> None:
        self._name = name
        start_ms = SystemClock().now_ms() - load.cycles * _CYCLE_MS
        self._bodies = [
            pack(site_batch(load.first + start, load.samples, start_ms + cycle * _CYCLE_MS, cycle=cycle))
            for cycle in range(load.cycles)
            for start in range(0, load.miners, load.samples)
        ]
        self._samples = load.samples
        self._mark = 0
        self._seq = 0
        self._greeted = threading.Event()
        self._sent_s: dict[int, float] = {}
        self._waits_ms: list[float] = []
        self._moved = threading.Condition()
        self.up = threading.Event()
        endpoint = Endpoint(name, (Subscription(down(SITE, name, "receipt")),), window=2 * WINDOW)
        self.session = MqttSession(MqttSettings(port=port), endpoint, self._receipt)
        self.session.on_up = self.up.set

    def introduce(self, inventory: Inventory) -> None:
        """Say hello until a receipt says that somebody listens, then tell what is there."""
        greeting = encode(Hello(WIRE_VERSION, EPOCH, 1, 0, 0, "boot", "site", "bench", 0))
        deadline_s = time.monotonic() + _INTRODUCED_S
        while not self._greeted.wait(0.5):
            if time.monotonic() > deadline_s:
                raise GatewayUnavailable(f"no controller has answered within {_INTRODUCED_S:.0f} s")
            self.session.publish(up(SITE, self._name, "hello"), greeting)
        self._publish(RecordKind.INVENTORY, len(inventory.devices), pack(inventory))
        if not self.settle(_INTRODUCED_S):
            raise GatewayUnavailable("the controller does not take the inventory")
        self._waits_ms.clear()

    def send_for(self, seconds: float, records_per_s: float) -> None:
        """As fast as the window allows, or at a pace where one is given (above 0)."""
        started_s = time.monotonic()
        count = 0
        while time.monotonic() - started_s < seconds:
            with self._moved:
                if not self._moved.wait_for(lambda: self._seq - self._mark < WINDOW, timeout=seconds):
                    return
            body = self._bodies[self._seq % len(self._bodies)]
            self._publish(RecordKind.TELEMETRY, self._samples, body)
            count += 1
            if records_per_s:
                time.sleep(max(0.0, started_s + count / records_per_s - time.monotonic()))

    def settle(self, seconds: float) -> bool:
        """Has everything been receipted?"""
        with self._moved:
            return self._moved.wait_for(lambda: self._mark == self._seq, timeout=seconds)

    def report(self, settled: bool) -> dict[str, object]:
        """The numbers of the records that were sent so far, and the waits since the last report."""
        waits_ms, self._waits_ms = sorted(self._waits_ms), []
        median, slow = (waits_ms[len(waits_ms) * share // 100] if waits_ms else None for share in (50, 99))
        numbers = {"first": _FIRST_SEQ, "last": self._seq}
        return {**numbers, "settled": settled, "p50_ms": median, "p99_ms": slow}

    def _publish(self, kind: RecordKind, rows: int, body: bytes) -> None:
        self._seq += 1
        record = Record(WIRE_VERSION, EPOCH, self._seq, kind, checksum(self._seq, body), rows, body)
        self._sent_s[self._seq] = time.monotonic()
        self.session.publish(up(SITE, self._name, kind.leaf), encode(record))

    def _receipt(self, message: Message) -> None:
        receipt = decode(decode(message.payload, Envelope).payload, Receipt)
        now_s = time.monotonic()
        with self._moved:
            for seq in range(self._mark + 1, receipt.mark + 1):
                self._waits_ms.append((now_s - self._sent_s.pop(seq)) * 1000)
            self._mark = max(self._mark, receipt.mark)
            self._greeted.set()
            self._moved.notify()


def site_of(miners: int) -> Site:
    """All miners on one feeder, five hundred a container."""
    places = (
        Placement(
            mac=miner_mac(number),
            feeder="main",
            container=f"c{number // 500 + 1}",
            rack=number % 500 // 25 + 1,
            shelf=number % 25 // 5 + 1,
            slot=number % 5 + 1,
        )
        for number in range(miners)
    )
    main = Feeder(id="main", kind="site", limit_w=miners * 5_000)
    return Site(id=SITE, name="North", feeder=(main,), placement=tuple(places))


def inventory_of(first: int, miners: int, site: Site) -> Inventory:
    devices = (
        DeviceRecord(
            device_id=miner_name(number),
            kind=DeviceKind.MINER,
            family="antminer-stock",
            model="S21",
            mac=miner_mac(number),
            verbs=("sleep", "wake"),
            curve=((3_500, 200.0),),
        )
        for number in range(first, first + miners)
    )
    return Inventory(at_ms=SystemClock().now_ms(), site=site, devices=tuple(devices))


def main() -> None:
    log.configure(level="warning")
    port, name = int(sys.argv[1]), sys.argv[2]
    load = Load(*map(int, sys.argv[3:8]))
    node = Node(port, name, load)
    node.session.start()
    node.up.wait(10)
    node.introduce(inventory_of(load.first, load.miners, site_of(load.site_miners)))
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, records_per_s = map(float, line.split())
        node.send_for(seconds, records_per_s)
        print(json.dumps(node.report(node.settle(_SETTLED_S))), flush=True)
    node.session.stop()


if __name__ == "__main__":
    main()
