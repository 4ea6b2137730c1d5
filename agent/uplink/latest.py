"""The live view: the newest values at QoS 0, coalesced and unaccounted, ahead of any backlog."""

import asyncio

import msgspec

from agent.uplink.ports import Line
from shared.wire.codec import pack


class Latest:
    """Only the newest message is ever sent, at most once in `every_s`."""

    def __init__(self, line: Line, topic: str, every_s: float) -> None:
        self._line = line
        self._topic = topic
        self._every_s = every_s
        self._newest: msgspec.Struct | None = None
        self._there = asyncio.Event()

    def offer(self, message: msgspec.Struct) -> None:
        self._newest = message
        self._there.set()

    async def run(self) -> None:
        while True:
            await self._there.wait()
            self._there.clear()
            message, self._newest = self._newest, None
            if message is not None and self._line.connected:
                self._line.publish(self._topic, pack(message), qos=0)
            await asyncio.sleep(self._every_s)
