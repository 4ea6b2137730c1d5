"""What the controller finds wrong with itself, as alarms at its sites, where people look."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.fleet import AlarmDesk
from controller.operations.decision_book import GAP_WIDE, UNSOUND
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import get_logger
from shared.states import Severity
from shared.wire.event import Event

NODE: Final = "controller"
NOT_STORING: Final = "ingest.not-storing"
BROKER_UNFIT: Final = "broker.unfit"
REFUSED: Final = "inbox.refused"
RECOVERY_DUE: Final = "contract.recovery-due"
SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        NOT_STORING: Severity.P1,
        BROKER_UNFIT: Severity.P2,
        REFUSED: Severity.P2,
        RECOVERY_DUE: Severity.P2,
        UNSOUND: Severity.P1,
        GAP_WIDE: Severity.P3,
    }
)
RETRY_S = 5.0

log = get_logger("controller.own-alarms")


class OwnAlarms:
    """`judge` from the event loop, at any time; `run` writes it down, and again until that has worked."""

    def __init__(self, desk: AlarmDesk, sites: Iterable[str], clock: Clock) -> None:
        self._desk = desk
        self._sites = tuple(sites)
        self._clock = clock
        self._waiting: dict[tuple[str, str], tuple[Event, ...]] = {}  # by site and code
        self._news = asyncio.Event()

    def judge(self, code: str, problem: str) -> None:
        """Raise the alarm where there is a problem, clear it where the text is empty."""
        for site in self._sites:
            self.judge_at(site, code, problem)

    def judge_at(self, site: str, code: str, problem: str) -> None:
        """The same at one site."""
        self._put(site, code, self._event(code, problem))

    def happened(self, site: str, code: str, text: str) -> None:
        """Something that is over at once: it stands until somebody has seen it."""
        self._put(site, code, self._event(code, text), self._event(code, ""))

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            for (site, code), events in tuple(self._waiting.items()):
                try:
                    await self._desk.report(site, NODE, events)
                except StorageError as error:
                    log.warning("alarm.not-written", alarm=code, code=error.code, detail=error.detail)
                    await asyncio.sleep(RETRY_S)
                    self._news.set()
                else:
                    if self._waiting.get((site, code)) is events:
                        del self._waiting[site, code]

    def _put(self, site: str, code: str, *events: Event) -> None:
        """The latest news of a code replaces what has not been written yet."""
        self._waiting[site, code] = events
        self._news.set()

    def _event(self, code: str, problem: str) -> Event:
        return Event(
            at_ms=self._clock.now_ms(),
            code=code,
            subject=NODE,
            severity=SEVERITIES[code],
            text=problem or "over",
            active=bool(problem),
        )
