"""Agent, controller and broker with mutual TLS and the access rules that we ship: everybody has their own lane only."""

import asyncio
import queue
import threading
from contextlib import contextmanager

import pytest
from nacl.signing import SigningKey

from agent.spool import Spool
from agent.uplink import Node, Uplink, UplinkSettings
from controller.gateways.mqtt import MqttGateway, probe
from shared.crypto.keys import key_id
from shared.mqtt import Endpoint, MqttSession, Subscription
from shared.wire.event import Event, EventBatch
from shared.wire.record import Receipt, RecordKind
from tests.certificates import Authority, settings_for

pytestmark = pytest.mark.broker
KEY = SigningKey(b"k" * 32)


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def broker(authority):
    with authority.broker() as running:
        yield running


@pytest.fixture
def arrived() -> queue.Queue:
    return queue.Queue()


@pytest.fixture
def gateway(authority, broker, arrived):
    made = MqttGateway(
        settings_for(broker, authority.node("controller")), "bes-controller", KEY, arrived.put, ["north"]
    )
    up = threading.Event()
    made.session.on_up = up.set
    made.start()
    assert up.wait(10)
    yield made
    made.stop()


@contextmanager
def node_session(settings, name: str, *topics: str, client_id: str = ""):
    """(session, its messages) of a node that may ask for anything."""
    messages: queue.Queue = queue.Queue()
    endpoint = Endpoint(client_id or name, tuple(Subscription(topic) for topic in topics))
    session, up = MqttSession(settings, endpoint, messages.put), threading.Event()
    session.on_up = up.set
    session.start()
    try:
        assert up.wait(10)
        yield session, messages
    finally:
        session.stop()


async def test_a_record_goes_up_and_its_receipt_comes_down(authority, broker, gateway, arrived, tmp_path):
    spool = Spool(tmp_path / "spool", machine_id="test")
    await spool.open()
    node = Node(site="north", name="n1", boot_id="b", software="test")
    settings = UplinkSettings(mqtt=settings_for(broker, authority.node("n1")))
    uplink = Uplink(node, spool, trusted={key_id(KEY.verify_key): KEY.verify_key}, settings=settings)
    await uplink.start()
    seq = await spool.append(RecordKind.EVENT, EventBatch(events=(Event(1, "test", "n1", 0, ""),)), 1)
    mark = 0
    async with asyncio.timeout(20):
        while True:
            message = await asyncio.to_thread(arrived.get, timeout=10)
            gateway.ack([message])
            if message.topic == "bes/v1/north/n1/up/event":
                mark = seq
            if message.topic.rpartition("/")[2] in ("hello", "event"):
                assert gateway.publish_receipt(Receipt(1, "north", "n1", spool.epoch, mark, 0))
            if mark:
                break
        while (await spool.stats()).rows:
            await asyncio.sleep(0.01)
    await uplink.stop()
    await spool.close()


def test_a_node_cannot_speak_for_another(authority, broker, gateway, arrived):
    with node_session(settings_for(broker, authority.node("n1")), "n1") as (n1, _):
        n1.publish("bes/v1/north/n2/up/event", b"forged")
        n1.publish("bes/v1/north/n2/up/presence", b"forged", retain=True)
        n1.publish("bes/v1/north/n1/down/command", b"forged")
        n1.deliver("bes/v1/north/n1/up/event", b"mine")
        message = arrived.get(timeout=10)
    assert (message.topic, message.payload) == ("bes/v1/north/n1/up/event", b"mine")
    assert arrived.empty()


async def test_a_node_cannot_hear_what_is_sent_to_another(authority, broker, gateway):
    asked = ("bes/v1/north/n2/down/#", "bes/v1/#", "bes/v1/north/n1/down/#")
    with node_session(settings_for(broker, authority.node("n1")), "n1", *asked) as (_n1, heard):
        await gateway.publish_command("north", "n2", b"not for n1")
        await gateway.publish_command("north", "n1", b"for n1")
        message = heard.get(timeout=10)
    assert message.payload == b"for n1"
    assert {message.payload for message in heard.queue} <= {b"for n1"}


def test_a_node_cannot_end_the_session_of_another_by_its_client_id(authority, broker):
    settings = settings_for(broker, authority.node("n1"))
    with node_session(settings, "n1") as (victim, _):
        with node_session(settings_for(broker, authority.node("n2")), "n2", client_id="n1") as (thief, _messages):
            thief.deliver("bes/v1/north/n2/up/event", b"x")
            victim.deliver("bes/v1/north/n1/up/event", b"x")
        assert victim.counters.lost == 0


def test_the_broker_as_shipped_passes_our_own_test(authority, broker):
    assert probe(settings_for(broker, authority.node("controller"))).problems == ()
