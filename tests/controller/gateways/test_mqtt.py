"""The gateway against a real mosquitto."""

import queue
import threading

import pytest
from nacl.signing import SigningKey

from controller.gateways.mqtt import MqttGateway, probe
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import GatewayRefused, GatewayUnavailable
from shared.mqtt import Endpoint, MqttSession, MqttSettings, Subscription
from shared.wire.codec import MAX_MESSAGE_BYTES
from shared.wire.record import RECEIPT_DOMAIN, Receipt

pytestmark = pytest.mark.broker
KEY = SigningKey(b"k" * 32)


def settings_for(broker, **changes) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, backoff_first_s=0.05, backoff_max_s=0.1, **changes)


class Node:
    """A node's session whose messages can be waited for."""

    def __init__(self, broker) -> None:
        self.messages: queue.Queue = queue.Queue()
        endpoint = Endpoint("n1", (Subscription("bes/v1/north/n1/down/#"),))
        self.session = MqttSession(settings_for(broker), endpoint, self.messages.put)
        up = threading.Event()
        self.session.on_up = up.set
        self.session.start()
        assert up.wait(10)


@pytest.fixture
def gateway(broker):
    made = MqttGateway(settings_for(broker, answer_timeout_s=0.5), "controller", KEY, arrived.put, ["north"])
    up = threading.Event()
    made.session.on_up = up.set
    made.start()
    assert up.wait(10)
    yield made
    made.stop()


@pytest.fixture
def node(broker):
    made = Node(broker)
    yield made
    made.session.stop()


arrived: queue.Queue = queue.Queue()


def test_hears_its_sites_and_no_other(gateway, node):
    node.session.publish("bes/v1/south/n9/up/telemetry", b"not ours")
    node.session.publish("bes/v1/north/n1/up/telemetry", b"ours")
    message = arrived.get(timeout=10)
    assert message.payload == b"ours"
    gateway.ack([message])
    assert arrived.empty()


def test_more_than_a_receive_window_arrives_before_the_first_acknowledgement(gateway, node):
    for number in range(200):
        node.session.publish("bes/v1/north/n1/up/telemetry", b"%d" % number)
    messages = [arrived.get(timeout=10) for _ in range(200)]
    assert [message.payload for message in messages] == [b"%d" % number for number in range(200)]
    gateway.ack(messages)


def test_receipts_are_signed(gateway, node):
    receipt = Receipt(1, "north", "n1", "e", 7, 0)
    assert gateway.publish_receipt(receipt)
    message = node.messages.get(timeout=10)
    assert message.topic == "bes/v1/north/n1/down/receipt"
    trusted = {key_id(KEY.verify_key): KEY.verify_key}
    assert unseal(RECEIPT_DOMAIN, message.payload, trusted, Receipt)[0] == receipt


async def test_orders_are_handed_over_or_refused_at_once(gateway, node, broker):
    await gateway.publish_command("north", "n1", b"sealed")
    assert node.messages.get(timeout=10).payload == b"sealed"
    broker.kill()
    with pytest.raises(GatewayUnavailable):
        await gateway.publish_command("north", "n1", b"sealed")


async def test_a_plan_waits_for_the_node(gateway, broker):
    await gateway.publish_plan("north", "n1", b"plan")
    late = Node(broker)
    message = late.messages.get(timeout=10)
    late.session.stop()
    assert (message.topic, message.payload) == ("bes/v1/north/n1/down/policy", b"plan")


def test_the_self_test_finds_a_good_broker_good(broker):
    report = probe(settings_for(broker))
    assert report.problems == ()
    assert report.payload_bytes == MAX_MESSAGE_BYTES
    assert report.latency_ms < 1000


def test_the_self_test_says_when_there_is_no_broker(broker):
    broker.kill()
    with pytest.raises(GatewayRefused):
        probe(settings_for(broker, answer_timeout_s=0.3))
