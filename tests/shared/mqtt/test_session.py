"""The session against a real mosquitto: reconnects, silence, generations, wills."""

import queue
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from shared.errors import GatewayUnavailable, SettingInvalid
from shared.mqtt import Endpoint, MqttSession, MqttSettings, Subscription, TlsSettings, Will

pytestmark = pytest.mark.broker


def settings_for(broker, **changes) -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, backoff_first_s=0.05, backoff_max_s=0.2, **changes)


class Ends:
    """A session whose ups, downs and messages can be waited for."""

    def __init__(self, settings: MqttSettings, client_id: str, **options) -> None:
        self.messages: queue.Queue = queue.Queue()
        self.up, self.down = threading.Event(), threading.Event()
        self.session = MqttSession(settings, Endpoint(client_id, **options), self.messages.put)
        self.session.on_up, self.session.on_down = self.up.set, self.down.set

    def wait_up(self) -> None:
        assert self.up.wait(10)
        self.up.clear()

    def get(self):
        return self.messages.get(timeout=10)


@contextmanager
def running(*args, **options):
    ends = Ends(*args, **options)
    ends.session.start()
    try:
        ends.wait_up()
        yield ends
    finally:
        ends.session.stop()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_carries_messages(broker, version):
    settings = settings_for(broker, version=version)
    with running(settings, "a", subscriptions=(Subscription("x/#"),)) as a, running(settings, "b") as b:
        assert b.session.publish("x/y", b"payload")
        message = a.get()
        assert (message.topic, message.payload, message.qos) == ("x/y", b"payload", 1)
        assert a.session.connected
        assert a.session.last_heard_s() < 5


def test_deliver_waits_for_the_broker(broker):
    with running(settings_for(broker, answer_timeout_s=0.3), "a") as a:
        a.session.deliver("x", b"taken")
        broker.pause()
        with pytest.raises(GatewayUnavailable):
            a.session.deliver("x", b"not taken")
        broker.resume()


def test_comes_back_by_itself_and_promises_nothing_meanwhile(broker):
    with running(settings_for(broker), "a", subscriptions=(Subscription("x"),)) as a:
        broker.kill()
        assert a.down.wait(10)
        assert not a.session.publish("x", b"lost")
        assert a.session.counters.not_published == 1
        broker.start()
        a.wait_up()
        assert a.session.publish("x", b"new")
        assert a.get().payload == b"new"
        assert a.messages.empty()


def test_starts_without_a_broker(broker):
    broker.kill()
    ends = Ends(settings_for(broker), "a")
    ends.session.start()
    assert not ends.session.connected
    broker.start()
    ends.wait_up()
    ends.session.stop()


def test_silence_is_noticed_within_one_and_a_half_keepalives(broker):
    with running(settings_for(broker, keepalive_s=1, answer_timeout_s=0.3), "a") as a:
        started_s = time.monotonic()
        broker.pause()
        assert a.down.wait(5)
        assert time.monotonic() - started_s < 1.5 + 1.0
        broker.resume()
        a.wait_up()


def test_a_peer_that_takes_the_connection_and_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = MqttSettings(
            port=mute.getsockname()[1], answer_timeout_s=0.1, backoff_first_s=0.01, backoff_max_s=0.02
        )
        ends = Ends(settings, "a")
        ends.session.start()
        deadline_s = time.monotonic() + 10
        while ends.session.counters.failed < 2 and time.monotonic() < deadline_s:
            ends.up.wait(0.02)
        ends.session.stop()
        assert ends.session.counters.failed >= 2
        assert not ends.up.is_set()


def test_what_a_callback_raises_does_not_end_the_session(broker):
    seen: queue.Queue = queue.Queue()

    def explode(message):
        seen.put(message.payload)
        raise RuntimeError("bug")

    with running(settings_for(broker), "a") as a:
        other = MqttSession(settings_for(broker), Endpoint("b", (Subscription("x"),)), explode)
        up = threading.Event()
        other.on_up = up.set
        other.start()
        assert up.wait(10)
        a.session.publish("x", b"1")
        a.session.publish("x", b"2")
        assert [seen.get(timeout=10), seen.get(timeout=10)] == [b"1", b"2"]
        other.stop()


def test_without_ack_the_broker_sends_again_on_the_next_connection_only(broker):
    """Clean sessions owe nothing: our own receipts do the remembering."""
    with running(settings_for(broker), "a", subscriptions=(Subscription("x"),), manual_ack=True) as a:
        a.session.publish("x", b"1")
        first = a.get()
        broker.restart()
        a.wait_up()
        a.session.ack([first])  # of an older connection: ignored
        a.session.publish("x", b"2")
        second = a.get()
        assert second.payload == b"2"
        assert second.generation > first.generation
        a.session.ack([second])


def test_the_will_is_published_when_a_session_is_lost_and_not_when_it_ends(broker):
    watching = running(settings_for(broker), "w", subscriptions=(Subscription("presence"),))
    with watching as w:
        with running(settings_for(broker), "a", will=Will("presence", b"gone")) as a:
            a.session._connection._socket.shutdown(socket.SHUT_RDWR)
            assert w.get().payload == b"gone"
            a.wait_up()
        with running(settings_for(broker), "b") as b:
            b.session.publish("presence", b"marker")
        assert w.get().payload == b"marker"


def test_a_wrong_certificate_file_is_named(tmp_path):
    with pytest.raises(SettingInvalid, match="nowhere"):
        TlsSettings(ca_file=tmp_path / "nowhere.pem").context()
