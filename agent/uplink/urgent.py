"""What must be told although the outbox cannot be written: each message is an epoch of its own that no disk keeps.

To the controller it is a record like any other, of an epoch that holds nothing else. It is sent once, to a live line.
"""

import uuid
from collections.abc import Callable

from agent.spool import LaneState
from agent.uplink.model import Node
from agent.uplink.ports import Line
from shared.wire.codec import encode, pack
from shared.wire.event import EventBatch
from shared.wire.record import Hello, Record, RecordKind, checksum
from shared.wire.version import WIRE_VERSION


class Urgent:
    def __init__(self, line: Line, node: Node, hello: Callable[[LaneState], Hello]) -> None:
        self._line = line
        self._node = node
        self._hello = hello

    def tell(self, events: EventBatch) -> bool:
        """Handed to a live connection?"""
        epoch, body, count = uuid.uuid4().hex, pack(events), len(events.events)
        lane = LaneState(epoch=epoch, released=0, highest_seq=1, rows=1, oldest_ms=None, salvaged=True)
        record = Record(WIRE_VERSION, epoch, 1, RecordKind.EVENT, checksum(1, body), count, body)
        return self._line.publish(self._node.up("hello"), encode(self._hello(lane))) and self._line.publish(
            self._node.up(RecordKind.EVENT.leaf), encode(record)
        )
