"""What the controller finds wrong with itself, as alarms at its sites, where people look."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.fleet import AlarmDesk
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger
from shared.states import Severity
from shared.wire.event import Event

NODE: Final = "controller"
NOT_STORING: Final = "ingest.not-storing"
BROKER_UNFIT: Final = "broker.unfit"
SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType({NOT_STORING: Severity.P1, BROKER_UNFIT: Severity.P2})
RETRY_S = 5.0

log = get_logger("controller.own-alarms")


class OwnAlarms:
    """`judge` from the event loop, at any time; `run` writes it down, and again until that has worked."""

    def __init__(self, desk: AlarmDesk, sites: Iterable[str], clock: Clock) -> None:
        self._desk = desk
        self._sites = tuple(sites)
        self._clock = clock
        self._waiting: dict[str, Event] = {}
        self._news = asyncio.Event()

    def judge(self, code: str, problem: str) -> None:
        """Raise the alarm where there is a problem, clear it where the text is empty."""
        self._waiting[code] = Event(
            at_ms=self._clock.now_ms(),
            code=code,
            subject=NODE,
            severity=SEVERITIES[code],
            text=problem or "over",
            active=bool(problem),
        )
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            for code, event in tuple(self._waiting.items()):
                try:
                    await self._write(event)
                except StorageError as error:
                    log.warning("alarm.not-written", alarm=code, code=error.code, detail=error.detail)
                    await asyncio.sleep(RETRY_S)
                    self._news.set()
                else:
                    if self._waiting.get(code) is event:
                        del self._waiting[code]

    async def _write(self, event: Event) -> None:
        for site in self._sites:
            await self._desk.report(site, NODE, (event,))
