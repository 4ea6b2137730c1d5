"""The forwarder against a controller of a few lines: what it sends, when it sends again, which receipts it believes."""

import asyncio
from collections.abc import Callable

import pytest
from nacl.signing import SigningKey

from agent.spool import Spool, SpoolLimits
from agent.uplink import Node, UplinkSettings
from agent.uplink.forwarder import Forwarder
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.wire.codec import decode
from shared.wire.event import Event, EventBatch
from shared.wire.record import RECEIPT_DOMAIN, Gap, Hello, Receipt, Record, RecordKind
from shared.wire.topics import parse

KEY = SigningKey(b"k" * 32)
NODE = Node(site="north", name="north-1", boot_id="b1", software="0.1")


class FakeLine:
    """Keeps what is published; `answer` may react to it."""

    def __init__(self) -> None:
        self.connected = True
        self.sent: list[tuple[str, object]] = []
        self.changed = asyncio.Event()
        self.answer: Callable[[str, object], None] = lambda _leaf, _message: None

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        leaf = parse(topic, "up").leaf
        message = decode(payload, Hello if leaf == "hello" else Record)
        self.sent.append((leaf, message))
        self.changed.set()
        self.answer(leaf, message)
        return True

    def seqs(self) -> list[int]:
        return [message.seq for _, message in self.sent if isinstance(message, Record)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def receipt(epoch: str, mark: int, *, key: SigningKey = KEY, node: str = NODE.name, domain: bytes = RECEIPT_DOMAIN):
    return seal(domain, Receipt(1, NODE.site, node, epoch, mark, 0), [key])


@pytest.fixture
async def spool(tmp_path):
    opened = Spool(tmp_path, machine_id="m", limits=SpoolLimits(max_bytes=4 << 20))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def line():
    return FakeLine()


@pytest.fixture
async def forwarder(spool, line):
    settings = UplinkSettings(window=10, resend_s=0.1, resend_max_s=0.2)
    trusted = {key_id(KEY.verify_key): KEY.verify_key}
    made = Forwarder(spool, line, NODE, trusted, settings, SystemClock())
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def fill(spool: Spool, count: int) -> None:
    for number in range(count):
        await spool.append(RecordKind.EVENT, EventBatch(events=(Event(number, "c", "s", 0, "t"),)), 1)


def hellos(line: FakeLine) -> list[Hello]:
    return [message for leaf, message in line.sent if leaf == "hello"]


async def test_says_hello_and_waits_for_the_answer(spool, line, forwarder):
    await fill(spool, 3)
    await spool.release(spool.epoch, 1)
    forwarder.came_up()
    await line.until(lambda: len(hellos(line)) == 2)  # repeated, since nobody answers
    hello = hellos(line)[0]
    assert (hello.epoch, hello.lowest_seq, hello.highest_seq, hello.rows) == (spool.epoch, 2, 3, 2)
    assert line.seqs() == []


async def test_sends_from_the_mark_and_keeps_to_the_window(spool, line, forwarder):
    await fill(spool, 25)
    forwarder.came_up()
    await line.until(lambda: bool(hellos(line)))
    await forwarder.receive(receipt(spool.epoch, 2))
    await line.until(lambda: len(line.seqs()) >= 10)
    assert line.seqs()[:10] == list(range(3, 13))
    await forwarder.receive(receipt(spool.epoch, 7))
    await line.until(lambda: 17 in line.seqs())
    assert (await spool.stats()).lowest_seq == 8


async def test_sends_again_where_the_mark_stands_still_and_stops_once_it_moved(spool, line, forwarder):
    await fill(spool, 3)
    forwarder.came_up()
    await line.until(lambda: bool(hellos(line)))
    await forwarder.receive(receipt(spool.epoch, 0))
    await line.until(lambda: len(hellos(line)) == 2)
    await forwarder.receive(receipt(spool.epoch, 0))
    await line.until(lambda: line.seqs() == [1, 2, 3, 1, 2, 3])
    assert forwarder.counters.records_resent == 3
    await forwarder.receive(receipt(spool.epoch, 3))
    assert (await spool.stats()).rows == 0
    line.sent.clear()
    await asyncio.sleep(0.5)  # longer than any patience: silence must stay
    assert line.sent == []


async def test_new_rows_leave_at_once(spool, line, forwarder):
    forwarder.came_up()
    await line.until(lambda: bool(hellos(line)))
    await forwarder.receive(receipt(spool.epoch, 0))
    await fill(spool, 1)
    await line.until(lambda: line.seqs() == [1])


async def test_gap_records_go_first(spool, line, forwarder):
    await fill(spool, 3)
    await spool.gap(Gap(spool.epoch, 1, 1, None, "operator", None, None))
    forwarder.came_up()
    await line.until(lambda: bool(line.seqs()))
    assert line.seqs() == [4]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (lambda epoch: receipt(epoch, 2, key=SigningKey(b"x" * 32)), "wire.signature-invalid"),
        (lambda epoch: receipt(epoch, 2, domain=b"bes/command/v1"), "wire.signature-invalid"),
        (lambda epoch: receipt(epoch, 2, node="other"), "wire.not-addressed"),
        (lambda epoch: receipt(epoch, 99), "wire.not-addressed"),
        (lambda _: receipt("0" * 32, 2), "wire.not-addressed"),
        (lambda _: b"\xff\x00", "wire.decode-failed"),
        (lambda epoch: receipt(epoch, 2)[:-1], "wire.decode-failed"),
    ],
)
async def test_refuses_what_is_no_receipt_of_ours(spool, line, forwarder, raw, code):
    await fill(spool, 3)
    await forwarder.receive(raw(spool.epoch))
    assert forwarder.counters.refused == {code: 1}
    assert (await spool.stats()).rows == 3


async def test_a_new_connection_starts_from_the_answered_mark(spool, line, forwarder):
    await fill(spool, 3)
    forwarder.came_up()
    await line.until(lambda: bool(hellos(line)))
    await forwarder.receive(receipt(spool.epoch, 0))
    await line.until(lambda: line.seqs() == [1, 2, 3])
    forwarder.went_down()
    line.sent.clear()
    forwarder.came_up()
    await line.until(lambda: bool(hellos(line)))
    await forwarder.receive(receipt(spool.epoch, 2))
    await line.until(lambda: bool(line.seqs()))
    assert set(line.seqs()) == {3}


async def test_a_line_that_is_lost_before_the_loop_hears_of_it_does_not_stop_the_loop(spool, line, forwarder):
    line.connected = False
    forwarder.came_up()
    async with asyncio.timeout(5):
        await asyncio.sleep(0.05)
    forwarder.went_down()
