"""The whole uplink over a real mosquitto."""

import asyncio
import threading

import pytest

from agent.spool import Spool
from agent.uplink import Node, Uplink, UplinkSettings
from shared.errors import NotAddressed
from shared.mqtt import Endpoint, MqttSession, MqttSettings, Subscription
from shared.wire.codec import decode, unpack
from shared.wire.event import EventBatch
from shared.wire.record import Hello, Presence
from shared.wire.topics import all_up, parse

pytestmark = pytest.mark.broker
NODE = Node(site="north", name="north-1", boot_id="b1", software="0.1")


class Peer:
    """The controller's side of the broker, as queues by leaf."""

    def __init__(self, settings: MqttSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._leaves: dict[str, asyncio.Queue[bytes]] = {}
        self.session = MqttSession(settings, Endpoint("peer", (Subscription(all_up()),)), self._received)
        up = threading.Event()
        self.session.on_up = up.set
        self.session.start()
        assert up.wait(10)

    def _received(self, message) -> None:
        self._loop.call_soon_threadsafe(self._put, parse(message.topic, "up").leaf, message.payload)

    def _put(self, leaf: str, payload: bytes) -> None:
        self._leaves.setdefault(leaf, asyncio.Queue()).put_nowait(payload)

    async def get(self, leaf: str) -> bytes:
        async with asyncio.timeout(10):
            return await self._leaves.setdefault(leaf, asyncio.Queue()).get()


@pytest.fixture
async def mqtt(broker):
    return MqttSettings(host=broker.host, port=broker.port, backoff_first_s=0.05, backoff_max_s=0.1)


@pytest.fixture
async def peer(mqtt):
    made = Peer(mqtt, asyncio.get_running_loop())
    yield made
    made.session.stop()


@pytest.fixture
async def start_uplink(tmp_path, mqtt):
    made = []

    async def start(**handlers) -> Uplink:
        spool = Spool(tmp_path, machine_id="m")
        await spool.open()
        uplink = Uplink(NODE, spool, trusted={}, handlers=handlers, settings=UplinkSettings(mqtt=mqtt, resend_s=0.3))
        made.append((uplink, spool))
        await uplink.start()
        return uplink

    yield start
    for uplink, spool in made:
        await uplink.stop()
        await spool.close()


async def test_says_hello_and_that_it_is_there_and_at_last_that_it_goes(start_uplink, peer):
    uplink = await start_uplink()
    assert decode(await peer.get("hello"), Hello).boot_id == "b1"
    assert decode(await peer.get("presence"), Presence).online
    assert uplink.connected
    assert uplink.last_heard_s() < 5
    await uplink.stop()
    assert not decode(await peer.get("presence"), Presence).online
    assert not uplink.connected


async def test_hands_down_the_raw_bytes_and_survives_what_handlers_raise(start_uplink, peer):
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_command(raw: bytes) -> None:
        if raw == b"refuse":
            raise NotAddressed("not for me")
        if raw == b"bug":
            raise ZeroDivisionError
        seen.put_nowait(raw)

    uplink = await start_uplink(command=on_command)
    await peer.get("hello")
    for raw in (b"refuse", b"bug", b"\x00order"):
        peer.session.publish("bes/v1/north/north-1/down/command", raw)
    peer.session.publish("bes/v1/north/north-1/down/nonsense", b"x")
    async with asyncio.timeout(10):
        assert await seen.get() == b"\x00order"
    assert uplink.counters.handler_failures == 1
    assert uplink.counters.refused["wire.not-addressed"] == 1


async def test_latest_is_coalesced(start_uplink, peer):
    uplink = await start_uplink()
    await peer.get("hello")
    uplink.latest(EventBatch(version=1))
    assert unpack(await peer.get("latest"), EventBatch) == EventBatch()


async def test_comes_back_after_the_broker_died(start_uplink, peer, broker):
    await start_uplink()
    await peer.get("hello")
    broker.restart()
    await peer.get("hello")
