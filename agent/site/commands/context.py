"""What an order needs of the site around it, and the one way to talk to the device that it is for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from agent.site.commands.outcome import Outcomes
from agent.site.devices.image import ProcessImage
from agent.site.devices.ports import Miner, Pdu
from agent.site.devices.reading import Evidence
from agent.site.roster import Known, Roster
from agent.site.safety import Interlocks
from agent.site.telemetry.live import Live
from shared.clock import Clock

CONVERSATIONS = 256
CONVERSATION_S = 15.0

Target = Known[Miner] | Known[Pdu]


class Context(msgspec.Struct, frozen=True):
    """`image_after` returns once an image that was sampled after that monotonic second has been judged."""

    roster: Roster
    live: Live
    interlocks: Interlocks
    outcomes: Outcomes
    clock: Clock
    image: Callable[[], ProcessImage]
    image_after: Callable[[float], Awaitable[None]]
    heat: Callable[[str], None]
    now_ms: Callable[[], int]
    keep: Callable[[str, int, Sequence[Evidence]], Awaitable[None]]


class Conversations:
    """With many devices at once, with each only one, and with none for longer than `CONVERSATION_S`."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(CONVERSATIONS)

    @asynccontextmanager
    async def with_device(self, target: Target) -> AsyncIterator[None]:
        async with self._places, target.line.for_order(), asyncio.timeout(CONVERSATION_S):
            yield
