import asyncio

import pytest

from agent.uplink.inbox import MOST_BYTES, Inbox
from agent.uplink.model import UplinkCounters
from shared.errors import DecodeFailed


class Reader:
    """Takes one message at a time, and only when it is let."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.may_go = asyncio.Semaphore(0)

    async def __call__(self, payload: bytes) -> None:
        await self.may_go.acquire()
        self.taken.append(len(payload))
        if payload == b"bad":
            raise DecodeFailed("not ours")
        if payload == b"bug":
            raise RuntimeError


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def counters() -> UplinkCounters:
    return UplinkCounters()


async def test_more_than_the_limit_is_dropped_and_counted(counters: UplinkCounters) -> None:
    reader = Reader()
    inbox = Inbox("command", reader, counters, limit=3)
    for _ in range(6):
        inbox.put_from_thread(b"x")
    await settle()
    assert counters.inbox_dropped in (2, 3)  # one may be in the reader's hands already
    await inbox.close()


async def test_bytes_that_wait_are_bounded_and_room_comes_back(counters: UplinkCounters) -> None:
    reader = Reader()
    inbox = Inbox("command", reader, counters, limit=1000)
    big = bytes(MOST_BYTES // 2)
    inbox.put_from_thread(b"first")
    await settle()
    for _ in range(3):
        inbox.put_from_thread(big)
    await settle()
    assert counters.inbox_dropped == 1
    for _ in range(3):
        reader.may_go.release()
    await settle()
    inbox.put_from_thread(big)
    reader.may_go.release()
    await settle()
    assert reader.taken == [5, len(big), len(big), len(big)]
    assert counters.inbox_dropped == 1
    await inbox.close()


async def test_one_bad_message_does_not_end_the_lane(counters: UplinkCounters) -> None:
    reader = Reader()
    inbox = Inbox("command", reader, counters, limit=10)
    for payload in (b"bad", b"bug", b"good!"):
        inbox.put_from_thread(payload)
        reader.may_go.release()
    await settle()
    assert reader.taken == [3, 3, 5]
    assert counters.handler_failures == 1
    await inbox.close()
