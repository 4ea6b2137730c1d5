"""Standing alarms, and what people do with them."""

import asyncio
from collections.abc import Sequence

import msgspec

from controller.fleet.alarm import Alarm, AlarmPhase, Shelf, acknowledged, after, alarm_key, shelved
from controller.fleet.model import Notice
from controller.fleet.ports import FleetChange, FleetStore, Witness
from controller.fleet.refusal import Refusal
from shared.clock import Clock
from shared.errors import Denied
from shared.states import Severity
from shared.wire.event import Event

LONGEST_SHELF_S = 24 * 3600


class AlarmAcknowledged(msgspec.Struct, frozen=True):
    alarm_id: str


class AlarmShelved(msgspec.Struct, frozen=True):
    alarm_id: str
    until_ms: int
    reason: str


class AlarmDesk:
    """Holds the standing alarms of all sites in memory; every change is stored before it is shown.

    Whoever judges, stores and accepts holds `changing` over all three.
    """

    def __init__(self, store: FleetStore, witness: Witness, clock: Clock) -> None:
        self._store = store
        self._witness = witness
        self._clock = clock
        self._standing: dict[str, Alarm] = {}
        self.changing = asyncio.Lock()

    def restore(self, alarms: Sequence[Alarm]) -> None:
        self._standing = {alarm.alarm_id: alarm for alarm in alarms}

    def standing(self, site: str) -> list[Alarm]:
        """Not put aside, by priority, then newest first."""
        now_ms = self._clock.now_ms()
        alarms = [alarm for alarm in self._standing.values() if alarm.site == site and not alarm.shelved(now_ms)]
        return sorted(alarms, key=lambda alarm: (alarm.priority, -alarm.raised_at_ms))

    def shelved(self, site: str) -> list[Alarm]:
        """Put aside at present; they come back by themselves."""
        now_ms = self._clock.now_ms()
        return [alarm for alarm in self._standing.values() if alarm.site == site and alarm.shelved(now_ms)]

    def judge(self, site: str, node: str, events: Sequence[Event]) -> FleetChange:
        """What a batch of events would change, in their order; nothing is changed yet."""
        changed: dict[str, Alarm] = {}
        closed: list[Alarm] = []
        notices: list[Notice] = []
        for event in events:
            key = alarm_key(site, event.code, event.subject)
            standing = changed.get(key, self._standing.get(key))
            if event.severity == Severity.NOTICE and (standing is None or event.active):
                notices.append(_notice(site, node, event))
                continue
            if standing is not None and standing.phase is AlarmPhase.CLOSED:
                closed.append(standing)
                standing = None
            if (alarm := after(standing, event, site, node)) is not None:
                changed[key] = alarm
        return FleetChange(alarms=(*closed, *changed.values()), notices=tuple(notices))

    def accept(self, alarms: Sequence[Alarm]) -> None:
        """Show what was stored."""
        for alarm in alarms:
            if alarm.phase is AlarmPhase.CLOSED:
                self._standing.pop(alarm.alarm_id, None)
            else:
                self._standing[alarm.alarm_id] = alarm

    async def report(self, site: str, node: str, events: Sequence[Event]) -> None:
        """Judge, store and show what did not come in a record, such as what the controller finds out about itself."""
        async with self.changing:
            change = self.judge(site, node, events)
            if change.alarms or change.notices:
                await self._store.apply(change)
                self.accept(change.alarms)

    async def acknowledge(self, *alarm_ids: str, by: str) -> list[Alarm]:
        """Somebody has seen them and cares: all at once, or `Denied` where one does not stand or was acknowledged."""
        now_ms = self._clock.now_ms()
        async with self.changing:
            changed = [acknowledged(self._unseen(alarm_id), by, now_ms) for alarm_id in alarm_ids]
            await self._decide(changed, [AlarmAcknowledged(alarm_id) for alarm_id in alarm_ids], by)
        return changed

    async def shelve(self, alarm_id: str, *, for_s: float, reason: str, by: str) -> Alarm:
        """Put an alarm aside for at most a day, with a reason."""
        if not reason.strip():
            raise Denied(Refusal.SHELF_REASON_MISSING, "say why the alarm may be put aside")
        if not 0 < for_s <= LONGEST_SHELF_S:
            raise Denied(Refusal.SHELF_TOO_LONG, f"an alarm may be put aside for at most {LONGEST_SHELF_S // 3600} h")
        shelf = Shelf(self._clock.now_ms() + int(for_s * 1000), by, reason.strip())
        async with self.changing:
            changed = shelved(self._found(alarm_id), shelf)
            await self._decide([changed], [AlarmShelved(alarm_id, shelf.until_ms, shelf.reason)], by)
        return changed

    async def _decide(self, alarms: Sequence[Alarm], facts: Sequence[msgspec.Struct], by: str) -> None:
        streams = [f"alarm/{alarm.alarm_id}" for alarm in alarms]
        await self._witness.note(dict(zip(streams, facts, strict=True)), by)
        await self._store.apply(FleetChange(alarms=tuple(alarms)))
        self.accept(alarms)

    def _unseen(self, alarm_id: str) -> Alarm:
        alarm = self._found(alarm_id)
        if alarm.acknowledged_at_ms is not None:
            raise Denied(Refusal.ALARM_ALREADY_ACKNOWLEDGED, f"{alarm.acknowledged_by} was first")
        return alarm

    def _found(self, alarm_id: str) -> Alarm:
        alarm = self._standing.get(alarm_id)
        if alarm is None:
            raise Denied(Refusal.ALARM_UNKNOWN, f"no alarm {alarm_id} stands; it may have been closed meanwhile")
        return alarm


def _notice(site: str, node: str, event: Event) -> Notice:
    return Notice(site=site, node=node, at_ms=event.at_ms, code=event.code, subject=event.subject, text=event.text)
