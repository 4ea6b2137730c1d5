"""Content for the parts of a page: built once a period for each site and subject, encoded once, sent to all clients."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from shared.clock import Clock

MAX_KEPT = 500

Content = dict[str, Any]


class Topic(NamedTuple):
    """`build` is given a site and a subject, such as a device id; its content is at most `period_s` old."""

    name: str
    period_s: float
    build: Callable[[str, str], Awaitable[Content]]


class Key(NamedTuple):
    topic: str
    site: str
    subject: str = ""


@dataclass
class Kept:
    """`version` rises when the text changes, so that a client is told only news."""

    content: Content = field(default_factory=dict)
    text: str = ""
    version: int = 0
    built_s: float = float("-inf")
    building: asyncio.Lock = field(default_factory=asyncio.Lock)


class Feed:
    def __init__(self, clock: Clock, topics: Iterable[Topic]) -> None:
        self._clock = clock
        self._topics = {topic.name: topic for topic in topics}
        self._kept: dict[Key, Kept] = {}

    async def newest(self, key: Key) -> Kept:
        """Raises what the topic's builder raises; nothing is kept then."""
        kept = self._kept.get(key)
        if kept is None:
            while len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[key] = Kept()
        async with kept.building:
            topic = self._topics[key.topic]
            if self._clock.monotonic_s() - kept.built_s >= topic.period_s * 0.9:
                await self._build(topic, key, kept)
        return kept

    async def _build(self, topic: Topic, key: Key, kept: Kept) -> None:
        content = await topic.build(key.site, key.subject)
        text = msgspec.json.encode(content).decode()
        kept.built_s = self._clock.monotonic_s()
        if text != kept.text:
            kept.content, kept.text, kept.version = content, text, kept.version + 1

    def spoil(self, topic: str) -> None:
        """Somebody acted: the next look builds anew."""
        for key, kept in self._kept.items():
            if key.topic == topic:
                kept.built_s = float("-inf")
