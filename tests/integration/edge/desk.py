"""The controller's side of the broker: keeps what a node sends, answers with receipts, sends signed orders."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from nacl.signing import SigningKey

from hardware_sims.broker import Mosquitto
from shared.actions import AnyAction
from shared.crypto.signing import seal
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.states import TERMINAL, OutcomeState
from shared.wire.codec import decode, unpack
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Command, Order, OutcomeBatch, OutcomeRow, SitePlan
from shared.wire.event import DeviceRecord, Event, EventBatch, Inventory
from shared.wire.record import RECEIPT_DOMAIN, Hello, Receipt, Record, RecordKind, check
from shared.wire.telemetry import TelemetryBatch
from shared.wire.topics import all_up, down, parse
from shared.wire.version import WIRE_VERSION

SITE, NODE = "edge", "edge-agent"


def mqtt_of(broker: Mosquitto) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, backoff_first_s=0.05, backoff_max_s=0.2, keepalive_s=2)


async def eventually(holds: Callable[[], object], within_s: float, what: str) -> None:
    """Both ends run in this process or behind a broker, so that there is no one event to wait for."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.05)


class Desk:
    """`silent` keeps receipts back, as a controller does that is gone. Records count once, however often they come."""

    def __init__(self, broker: Mosquitto) -> None:
        self.operator, self.approver = SigningKey.generate(), SigningKey.generate()
        self.silent = False
        self.records: Counter[tuple[str, int]] = Counter()
        self.rows: list[tuple[str, OutcomeRow]] = []
        self.events: list[Event] = []
        self.batches: list[TelemetryBatch] = []
        self.devices: dict[str, DeviceRecord] = {}
        self.hellos: list[Hello] = []
        self._counter = time.time_ns()  # rises over the lives of this desk, as a real one's does
        self._loop = asyncio.get_running_loop()
        self._session = MqttSession(mqtt_of(broker), Endpoint("desk", (Subscription(all_up(SITE)),)), self._received)
        self._up = threading.Event()
        self._session.on_up = self._came_up

    async def open(self) -> None:
        self._session.start()
        assert await asyncio.to_thread(self._up.wait, 10)

    async def close(self) -> None:
        await asyncio.to_thread(self._session.stop)

    def order(self, *orders: Order, approved: bool = False) -> str:
        """Sign and send; the id of the command."""
        command = self._command(orders)
        signers = (self.operator, self.approver) if approved else (self.operator,)
        self.send(seal(DOMAIN, command, signers))
        return command.command_id

    def sealed(self, *orders: Order) -> bytes:
        """For a message that is sent more than once."""
        return seal(DOMAIN, self._command(orders), (self.operator,))

    def _command(self, orders: tuple[Order, ...]) -> Command:
        self._counter += 1
        now_ms = time.time_ns() // 1_000_000
        return Command(
            version=WIRE_VERSION,
            command_id=f"cmd-{self._counter}",
            site=SITE,
            node=NODE,
            counter=self._counter,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 30_000,
            reason="test",
            orders=orders,
        )

    def send(self, sealed: bytes, leaf: str = "command") -> None:
        assert self._session.publish(down(SITE, NODE, leaf), sealed)

    def plan(self, cap_w: int | None, fallback_w: int | None, for_s: float, shed_order: Sequence[str] = ()) -> None:
        """One interval that begins now."""
        self._counter += 1
        now_ms = time.time_ns() // 1_000_000
        plan = SitePlan(
            version=WIRE_VERSION,
            plan_id=f"plan-{self._counter}",
            site=SITE,
            node=NODE,
            counter=self._counter,
            issued_at_ms=now_ms,
            valid_from_ms=now_ms - 1_000,
            valid_until_ms=now_ms + int(for_s * 1000),
            intervals=((now_ms - 1_000, cap_w),),
            shed_order=tuple(shed_order),
            fallback_cap_w=fallback_w,
        )
        self.send(seal(PLAN_DOMAIN, plan, (self.operator,)), "policy")

    def order_each(self, devices: Sequence[str], action: AnyAction) -> str:
        return self.order(*(Order(device_id, action) for device_id in devices))

    def rows_of(self, command_id: str) -> list[OutcomeRow]:
        return [row for of, row in self.rows if of == command_id]

    def ends_of(self, command_id: str) -> dict[str, OutcomeRow]:
        """The final row of each device."""
        return {row.device_id: row for row in self.rows_of(command_id) if OutcomeState(row.state) in TERMINAL}

    async def until_ended(self, command_id: str, orders: int, within_s: float = 15.0) -> dict[str, OutcomeRow]:
        def ended() -> bool:
            return sum(OutcomeState(row.state) in TERMINAL for row in self.rows_of(command_id)) >= orders

        await eventually(ended, within_s, f"{orders} ends of {command_id}; there is {self.rows_of(command_id)}")
        return self.ends_of(command_id)

    def alarms(self, code: str, subject: str | None = None) -> list[bool]:
        """The rises (True) and ends (False) of an alarm in their order."""
        return [e.active for e in self.events if e.code == code and subject in (None, e.subject)]

    def _came_up(self) -> None:
        self._up.set()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._greet)

    def _greet(self) -> None:
        """After a lost broker each node hears its mark, in case that its hello came before us."""
        for epoch in {hello.epoch for hello in self.hellos}:
            self._receipt(epoch, 0)

    def _received(self, message: Message) -> None:
        self._loop.call_soon_threadsafe(self._take, parse(message.topic, "up").leaf, message.payload)

    def _take(self, leaf: str, payload: bytes) -> None:
        if leaf == "hello":
            hello = decode(payload, Hello)
            self.hellos.append(hello)
            self._receipt(hello.epoch, hello.lowest_seq - 1)
        elif leaf in ("telemetry", "event", "result"):
            record = decode(payload, Record)
            check(record)
            self.records[record.epoch, record.seq] += 1
            if self.records[record.epoch, record.seq] == 1:
                self._keep(record)
            self._receipt(record.epoch, 0)

    def _keep(self, record: Record) -> None:
        if record.kind == RecordKind.TELEMETRY:
            self.batches.append(unpack(record.body, TelemetryBatch))
        elif record.kind == RecordKind.EVENT:
            self.events += unpack(record.body, EventBatch).events
        elif record.kind == RecordKind.INVENTORY:
            self.devices |= {device.device_id: device for device in unpack(record.body, Inventory).devices}
        elif record.kind == RecordKind.RESULT:
            batch = unpack(record.body, OutcomeBatch)
            self.rows += [(batch.command_id, row) for row in batch.rows]

    def _receipt(self, epoch: str, at_least: int) -> None:
        if self.silent:
            return
        mark = at_least
        have = {seq for of, seq in self.records if of == epoch}
        while mark + 1 in have or mark + 1 <= min(have, default=0):
            mark += 1
        receipt = Receipt(WIRE_VERSION, SITE, NODE, epoch, mark, time.time_ns() // 1_000_000)
        self._session.publish(down(SITE, NODE, "receipt"), seal(RECEIPT_DOMAIN, receipt, [self.operator]))
