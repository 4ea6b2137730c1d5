"""What the controller forgets, and after how long: every night, each kind by itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from controller.people.service import People
from controller.settings import Keep
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.storage.sqlite.relations_upkeep import RelationsUpkeep
from controller.storage.sqlite.telemetry_upkeep import TelemetryUpkeep
from shared.clock import Clock
from shared.errors import BesError
from shared.log import get_logger

HOUR_UTC = 3
_DAY_MS = 86_400_000

log = get_logger("controller.retention")


class Stores(NamedTuple):
    relations: RelationsUpkeep
    telemetry: TelemetryUpkeep
    outbox: SqliteOutbox
    people: People


class Kind(NamedTuple):
    """`forget` deletes what is older than a time (UTC milliseconds) and answers with the number of rows."""

    days: int
    forget: Callable[[int], Awaitable[int]]


class Retention:
    """The journal's events are not here: they are kept for ever. Samples have their own upkeep, all day long."""

    def __init__(self, stores: Stores, keep: Keep, clock: Clock) -> None:
        relations = stores.relations
        self.kinds: Mapping[str, Kind] = {
            "handled": Kind(keep.handled_days, relations.forget_handled),
            "notices": Kind(keep.notice_days, relations.forget_notices),
            "alarms": Kind(keep.alarm_days, relations.forget_closed_alarms),
            "quarantine": Kind(keep.quarantine_days, stores.telemetry.forget_quarantine),
            "outbox": Kind(keep.outbox_days, stores.outbox.forget_settled),
            "sessions": Kind(0, lambda _before_ms: stores.people.drop_expired()),
        }
        self._clock = clock

    async def run(self) -> dict[str, int]:
        """Once over everything; rows forgotten by kind. A kind that fails is told, and tried again the next night."""
        forgotten: dict[str, int] = {}
        for name, kind in self.kinds.items():
            try:
                forgotten[name] = await kind.forget(self._clock.now_ms() - kind.days * _DAY_MS)
            except BesError as error:
                log.warning("retention.failed", kind=name, code=error.code, detail=error.detail)
        log.info("retention.done", **forgotten)
        return forgotten
