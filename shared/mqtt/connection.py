"""One connection to a broker, from CONNECT to its end; used once."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import GatewayRefused, GatewayUnavailable, GatewayUntrusted
from shared.log import get_logger
from shared.mqtt.message import Endpoint, Message, Will
from shared.mqtt.settings import MqttSettings
from shared.mqtt.trust import handshake_failure, knock

P = ParamSpec("P")
SILENCE_FACTOR = 1.5  # of the keepalive; brokers cut after as much, paho alone would need twice the keepalive
_TCP_INFO_BYTES = 104
_VERDICT_S = 2.0  # a broker that does not take our certificate says so at once
_VERSIONS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}

log = get_logger(__name__)


class Connection:
    """`receive` is called in the network thread for every message; what it raises is logged, never passed on."""

    def __init__(
        self,
        settings: MqttSettings,
        endpoint: Endpoint,
        generation: int,
        receive: Callable[[Message], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.generation = generation
        self.lost = threading.Event()
        self._settings = settings
        self._tls = tls
        self._subscriptions = endpoint.subscriptions
        self._receive = receive
        self._ready = threading.Event()  # subscribed, refused or lost
        self._refusal = ""
        self._socket: socket.socket | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=endpoint.client_id,
            protocol=_VERSIONS[settings.version],
            manual_ack=endpoint.manual_ack,
            reconnect_on_failure=False,
        )
        self._client.max_inflight_messages_set(endpoint.window)
        self._client.max_queued_messages_set(2 * endpoint.window)
        self._client.connect_timeout = settings.answer_timeout_s
        self._identify(endpoint.will)
        self._client.on_connect = _guarded(self._on_connect)
        self._client.on_subscribe = _guarded(self._on_subscribe)
        self._client.on_disconnect = _guarded(self._on_disconnect)
        self._client.on_message = _guarded(self._on_message)
        self._client.on_socket_open = _guarded(self._on_socket_open)

    def open(self) -> None:
        """Connected and subscribed when it returns; GatewayUnavailable, GatewayRefused or GatewayUntrusted within the
        timeout.
        """
        place = f"broker {self._settings.host}:{self._settings.port}"
        try:
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        except ssl.SSLError as error:
            raise GatewayUntrusted(f"{place}: {handshake_failure(error, self._settings)}") from error
        except (OSError, ValueError) as error:
            raise GatewayUnavailable(f"{place}: {error}") from error
        self._client.loop_start()
        if not self._ready.wait(self._settings.answer_timeout_s):
            raise GatewayUnavailable(f"{place} took the connection and said nothing")
        if self._refusal:
            raise GatewayRefused(f"{place}: {self._refusal}")
        if self.lost.is_set():
            if self._tls is not None:
                knock(self._settings, self._tls, _VERDICT_S)
            hint = "" if self._tls is not None else "; if it wants TLS, set mqtt.tls"
            raise GatewayUnavailable(f"{place} closed the connection{hint}")

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Handed to the connection? False where it is lost or its queue is full."""
        if self.lost.is_set():
            return False
        return self._client.publish(topic, payload, qos, retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def deliver(self, topic: str, payload: bytes, retain: bool) -> bool:
        """Has the broker acknowledged it within the timeout?"""
        if self.lost.is_set():
            return False
        info = self._client.publish(topic, payload, 1, retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        info.wait_for_publish(self._settings.answer_timeout_s)
        return info.is_published()

    def ack(self, mid: int, qos: int) -> None:
        self._client.ack(mid, qos)

    def silent_s(self) -> float:
        """Seconds since the broker's last byte, as the kernel counts them; infinite where the socket is gone."""
        if self._socket is None:
            return float("inf")
        try:
            return _silence_ms(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)) / 1000
        except OSError:
            return float("inf")

    def close(self, *, politely: bool = False) -> None:
        """End it at once; politely means that the broker does not publish the will."""
        if politely and not self.lost.is_set():
            self._client.disconnect()
            self.lost.wait(1.0)
        if self._socket is not None:
            with suppress(OSError):  # already gone
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the network thread, which then ends
        self._client.loop_stop()
        self.lost.set()
        self._part()

    def _part(self) -> None:
        """Client and callbacks hold each other: apart, the client's sockets are closed now and not by a later gc."""
        self._client.on_connect = None
        self._client.on_subscribe = None
        self._client.on_disconnect = None
        self._client.on_message = None
        self._client.on_socket_open = None

    def _identify(self, will: Will | None) -> None:
        if self._tls is not None:
            self._client.tls_set_context(self._tls)
        if self._settings.username is not None:
            password = self._settings.password
            self._client.username_pw_set(self._settings.username, password.get_secret_value() if password else None)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)

    def _on_socket_open(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        patience_ms = int(self._settings.keepalive_s * SILENCE_FACTOR * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"refused the session: {reason}"
        elif self._subscriptions:
            client.subscribe([(item.topic_filter, item.qos) for item in self._subscriptions])
            return
        self._ready.set()

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        refused = [
            item.topic_filter for item, reason in zip(self._subscriptions, reasons, strict=True) if reason.is_failure
        ]
        if refused:
            self._refusal = f"refused the subscription to {', '.join(refused)}"
        self._ready.set()

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            log.debug("mqtt.disconnected", reason=str(reason))
        self.lost.set()
        self._ready.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._receive(Message(message.topic, bytes(message.payload), message.qos, message.mid, self.generation))


def _guarded(callback: Callable[P, None]) -> Callable[P, None]:
    """An exception in a callback would end paho's network thread while the connection still looks alive."""

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:
            log.exception("mqtt.callback-failed", callback=callback.__name__)

    return call


def _silence_ms(tcp_info: bytes) -> int:
    """`tcpi_last_data_recv` of struct tcp_info (linux/tcp.h): eight bytes, then the twelfth 32-bit word."""
    value: int = struct.unpack_from("=I", tcp_info, 8 + 11 * 4)[0]
    return value
