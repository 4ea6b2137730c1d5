"""Drains the spool: hello, a window of records, receipts, and again from the mark where receipts stay away."""

import asyncio
from collections.abc import Mapping

import msgspec
from nacl.signing import VerifyKey

from agent.spool import LaneState, Spool
from agent.uplink.model import Node, UplinkCounters, UplinkSettings
from agent.uplink.ports import Line
from shared.clock import Clock
from shared.crypto.signing import unseal
from shared.errors import NotAddressed, StorageError, WireError
from shared.log import get_logger
from shared.wire.codec import encode
from shared.wire.record import RECEIPT_DOMAIN, Hello, Receipt, Record, RecordKind
from shared.wire.version import WIRE_VERSION

_FETCH_ROWS = 32
_PAUSE_S = 1.0

log = get_logger(__name__)


class _Lane(msgspec.Struct):
    """One epoch in this session: `cursor` is the last number sent, `mark` None until the controller has answered."""

    state: LaneState
    cursor: int = 0
    mark: int | None = None

    @property
    def on_the_way(self) -> int:
        return 0 if self.mark is None else max(0, self.cursor - self.mark)


class Forwarder:
    """`run` lives as long as the node; `wake` after anything that may give it work."""

    def __init__(
        self,
        spool: Spool,
        line: Line,
        node: Node,
        trusted: Mapping[str, VerifyKey],
        settings: UplinkSettings,
        clock: Clock,
    ) -> None:
        self.counters = UplinkCounters()
        self._spool = spool
        self._line = line
        self._node = node
        self._trusted = trusted
        self._settings = settings
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._highest_sent: dict[str, int] = {}
        self._line_up = asyncio.Event()
        self._best_marks: dict[str, int] = {}
        self._moved_s = 0.0
        self._patience_s = settings.resend_s
        self._newest_ms = clock.now_ms()

    def came_up(self) -> None:
        """A new connection: start from the controller's mark."""
        self._lanes = {}
        self._line_up.set()
        self.wake()

    def went_down(self) -> None:
        self._line_up.clear()
        self.wake()

    def wake(self) -> None:
        self._spool.appended.set()

    async def run(self) -> None:
        while True:
            await self._line_up.wait()
            try:
                await self._drain()
            except StorageError as error:
                log.warning("uplink.spool-unreadable", code=error.code, detail=error.detail)
                await asyncio.sleep(_PAUSE_S)
            except Exception:  # a node that stops sending for good would be the worst outcome
                log.exception("uplink.drain-failed")
                await asyncio.sleep(_PAUSE_S)

    async def receive(self, raw: bytes) -> None:
        """A receipt as it came. Only a verified one that is about this spool deletes anything."""
        try:
            receipt, _ = unseal(RECEIPT_DOMAIN, raw, self._trusted, Receipt)
            if (receipt.site, receipt.node) != (self._node.site, self._node.name):
                raise NotAddressed(f"a receipt for {receipt.site}/{receipt.node} arrived here")
            released = await self._spool.release(receipt.epoch, receipt.mark)
        except WireError as error:
            self.counters.refuse(error.code)
            log.warning("uplink.receipt-refused", code=error.code, detail=error.detail)
            return
        self.counters.receipts += 1
        self.counters.records_released += released
        if released or receipt.issued_at_ms > self._newest_ms:
            self.counters.news += 1  # a broker that repeats old receipts is no controller
        self._newest_ms = max(self._newest_ms, receipt.issued_at_ms)
        lane = self._lanes.get(receipt.epoch)
        if receipt.mark > self._best_marks.get(receipt.epoch, -1):
            self._best_marks[receipt.epoch] = receipt.mark
            self._moved()
        if lane is not None:
            lane.mark = max(lane.mark or 0, lane.state.released, receipt.mark)
            lane.cursor = max(lane.cursor, lane.mark)
        self.wake()

    async def _drain(self) -> None:
        """One connection's work; ends with it."""
        self._moved()
        while self._line_up.is_set():  # not `connected`, which changes before the loop hears of it
            self._spool.appended.clear()
            await self._greet_new_lanes()
            await self._fill_window()
            if not self._waits_for_receipts():
                self._moved()
            left_s = self._moved_s + self._patience_s - self._clock.monotonic_s()
            if left_s > 0:
                await self._sleep(left_s)
            else:
                self._rewind()

    def _moved(self) -> None:
        self._moved_s = self._clock.monotonic_s()
        self._patience_s = self._settings.resend_s

    async def _sleep(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):  # wait_for of Python 3.11 can swallow a cancellation
                await self._spool.appended.wait()
        except TimeoutError:
            return

    def _waits_for_receipts(self) -> bool:
        return any(lane.mark is None or lane.on_the_way for lane in self._lanes.values())

    def _rewind(self) -> None:
        """Receipts stayed away: say hello again and send from the mark. Sending twice is always safe."""
        log.info("uplink.resend", lanes=[(epoch[:8], lane.mark) for epoch, lane in self._lanes.items()])
        self._lanes = {}
        self._moved_s = self._clock.monotonic_s()
        self._patience_s = min(self._patience_s * 2, self._settings.resend_max_s)

    async def _greet_new_lanes(self) -> None:
        states = await self._spool.lanes()
        fresh = [state for state in states if state.epoch not in self._lanes]
        self._lanes = {state.epoch: self._lanes.get(state.epoch, _Lane(state)) for state in states}
        for state in fresh:
            self._line.publish(self._node.up("hello"), encode(self.hello(state)))
        if fresh:
            # First what is missing: the controller's mark waits at a hole until it knows of it.
            for record in (await self._spool.gap_records())[: self._settings.window]:
                self._publish(record)

    async def _fill_window(self) -> None:
        room = self._settings.window - sum(lane.on_the_way for lane in self._lanes.values())
        for epoch, lane in self._lanes.items():
            while lane.mark is not None and room > 0:
                rows = await self._spool.rows_after(lane.cursor, min(room, _FETCH_ROWS), epoch=epoch)
                for row in rows:
                    if not self._publish(row):
                        return
                    lane.cursor = row.seq
                room -= len(rows)
                if not rows:
                    break

    def _publish(self, record: Record) -> bool:
        done = self._line.publish(self._node.up(RecordKind(record.kind).leaf), encode(record))
        if done:
            highest = self._highest_sent.get(record.epoch, 0)
            self.counters.records_sent += 1
            self.counters.records_resent += record.seq <= highest
            self._highest_sent[record.epoch] = max(highest, record.seq)
        return done

    def hello(self, lane: LaneState) -> Hello:
        return Hello(
            version=WIRE_VERSION,
            epoch=lane.epoch,
            lowest_seq=lane.released + 1,
            highest_seq=lane.highest_seq,
            rows=lane.rows,
            boot_id=self._node.boot_id,
            role=self._node.role,
            software=self._node.software,
            sent_at_ms=self._clock.now_ms(),
            public_key=self._node.public_key,
            oldest_ms=lane.oldest_ms,
            salvaged=lane.salvaged,
        )
