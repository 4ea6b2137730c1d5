"""Curtailments written down before they count: the ledger's events in the journal, stream `curtailment/<site>`."""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast, get_args

from controller.journal import EventCodec, Journal
from controller.mining.energy import Curtailment, CurtailmentLedger
from controller.mining.energy.event import AnyCurtailmentEvent

codec = EventCodec(get_args(AnyCurtailmentEvent))
WITNESS = "controller"


class CurtailmentBook:
    """The one way in which the ledger changes. `restore` before anybody asks for its caps."""

    def __init__(self, ledger: CurtailmentLedger, journal: Journal) -> None:
        self.ledger = ledger
        self._journal = journal
        self._writing = asyncio.Lock()

    async def restore(self, sites: Iterable[str]) -> None:
        for site in sites:
            for event in await self._journal.stream(_stream(site)):
                fact = codec.decode(event)
                if fact is not None:
                    self.ledger.replay(cast(AnyCurtailmentEvent, fact))

    async def write(self, site: str, actor: str, judge: Callable[[], AnyCurtailmentEvent]) -> Curtailment:
        """Judge, write down and fold one event; nobody else judges in between. Raises what `judge` raises."""
        async with self._writing:
            return await self._write(site, actor, judge())

    async def write_all(self, site: str, judge: Callable[[], Iterable[AnyCurtailmentEvent]]) -> tuple[Curtailment, ...]:
        """The same for what meters and time prove."""
        async with self._writing:
            return tuple([await self._write(site, WITNESS, event) for event in judge()])

    async def _write(self, site: str, actor: str, event: AnyCurtailmentEvent) -> Curtailment:
        await self._journal.append(_stream(site), [codec.encode(event, actor)])
        return self.ledger.replay(event)


def _stream(site: str) -> str:
    return f"curtailment/{site}"
