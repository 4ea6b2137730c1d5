"""Somebody who only listens at the broker: what boxes were asked and what they answered, and when it was debited."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from shared.errors import WireError
from shared.wire.codec import decode
from shared.wire.envelope import Envelope
from shared.wire.signing import Packet, SigningAnswer, SigningRequest
from shared.wire.topics import ROOT, parse

_BUSY_S = 5.0
_RETRY_S = 1


class Heard(NamedTuple):
    """A signature that was seen on the way. `debited` is whether its row stood in the box's file by then."""

    node: str
    answer: SigningAnswer
    debited: bool


class Listener:
    """`heard` are all signatures in the order of their arrival, repetitions included; `requests` and `answers` count
    by node. `ledgers` are the boxes' files. A context manager; it comes back by itself when the broker does.
    """

    def __init__(self, port: int, site: str, ledgers: Mapping[str, Path]) -> None:
        self.heard: list[Heard] = []
        self.requests: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.unreadable = 0
        self._port = port
        self._filters = [(f"{ROOT}/{site}/+/up/signature", 1), (f"{ROOT}/{site}/+/down/signing", 1)]
        self._ledgers = ledgers
        self._up = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self._client.reconnect_delay_set(_RETRY_S, _RETRY_S)
        self._client.on_connect = lambda client, *_: client.subscribe(self._filters)
        self._client.on_subscribe = lambda *_: self._up.set()
        self._client.on_message = self._arrived

    def __enter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        self._up.wait(_BUSY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _arrived(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            packet = decode(bytes(message.payload), Packet)
            payload = decode(packet.sealed, Envelope).payload
            if packet.kind == "request":
                request = decode(payload, SigningRequest)
                self.requests[request.node] += 1
            elif packet.kind == "answer":
                self._answered(parse(message.topic, "up").node, decode(payload, SigningAnswer))
        except WireError:
            self.unreadable += 1

    def _answered(self, node: str, answer: SigningAnswer) -> None:
        self.answers[node] += 1
        if answer.outcome == "signed":
            self.heard.append(Heard(node, answer, self._debited(node, answer.txid)))

    def _debited(self, node: str, txid: str) -> bool:
        uri = f"{self._ledgers[node].absolute().as_uri()}?mode=ro"
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as ledger:
            query = "SELECT 1 FROM entry WHERE kind = 'debit' AND txid = ?"
            return ledger.execute(query, (txid,)).fetchone() is not None
        return False
