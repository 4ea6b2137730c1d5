"""Standing alarms, one a cause."""

import numpy as np
from numpy.typing import NDArray

from controller.fleet import AlarmDesk, AlarmGroup, FleetService, grouped
from controller.operations.advice import advice
from controller.operations.moment import FRAME_MS, Moments
from controller.people.model import Actor, Permission
from controller.views.alarm import AlarmView
from controller.views.frame import AlarmMark, FleetLayout
from controller.views.query import cause_word
from shared.clock import Clock
from shared.errors import NotFound

OTHERS_NAMED = 10


class AlarmGroups:
    """The standing alarms of a site by cause, formed at most once a second."""

    def __init__(self, desk: AlarmDesk, directory: FleetService, clock: Clock) -> None:
        self._desk = desk
        self._directory = directory
        self._clock = clock
        self._kept: dict[str, tuple[int, tuple[AlarmGroup, ...]]] = {}

    def of(self, site: str) -> tuple[AlarmGroup, ...]:
        now_ms = self._clock.now_ms()
        kept = self._kept.get(site)
        if kept is None or not 0 <= now_ms - kept[0] < FRAME_MS:
            tree = None if self._directory.site(site) is None else self._directory.tree(site)
            kept = self._kept[site] = (now_ms, tuple(grouped(self._desk.standing(site), tree)))
        return kept[1]

    def forget(self, site: str) -> None:
        """Somebody acted: form them anew."""
        self._kept.pop(site, None)

    def marks(self, layout: FleetLayout) -> tuple[AlarmMark, ...]:
        """What the table of miners finds them by."""
        return tuple(
            AlarmMark(group.code, cause_word(group.cause), _rows(group, layout)) for group in self.of(layout.site)
        )


class LiveAlarms:
    """Fills `controller.views.ports.Alarms`."""

    def __init__(self, moments: Moments, groups: AlarmGroups, desk: AlarmDesk) -> None:
        self._moments = moments
        self._groups = groups
        self._desk = desk

    def standing(self, site: str) -> tuple[AlarmView, ...]:
        layout = self._moments.of(site).frame.layout
        return tuple(_view(site, group, layout) for group in self._groups.of(site))

    async def acknowledge(self, alarm_id: str, actor: Actor) -> AlarmView:
        """Every member that nobody has seen yet; Denied `alarm.already-acknowledged` where there is none."""
        actor.require(Permission.OPERATE)
        site = alarm_id.partition(":")[0]
        self._groups.forget(site)
        group = self._find(site, alarm_id)
        unseen = [alarm.alarm_id for alarm in group.members if alarm.acknowledged_at_ms is None]
        wanted = unseen or [group.members[0].alarm_id]
        seen = {alarm.alarm_id: alarm for alarm in await self._desk.acknowledge(*wanted, by=actor.name)}
        self._groups.forget(site)
        members = tuple(seen.get(alarm.alarm_id, alarm) for alarm in group.members)
        now = AlarmGroup(code=group.code, kind=group.kind, cause=group.cause, members=members, of=group.of)
        return _view(site, now, self._moments.of(site).frame.layout)

    def _find(self, site: str, alarm_id: str) -> AlarmGroup:
        if site in self._moments.sites:
            for group in self._groups.of(site):
                if _id(site, group) == alarm_id:
                    return group
        raise NotFound(f"no alarm {alarm_id!r} stands; it may have been closed meanwhile")


def _id(site: str, group: AlarmGroup) -> str:
    return f"{site}:{group.code}:{group.kind}:{group.cause}"


def _view(site: str, group: AlarmGroup, layout: FleetLayout) -> AlarmView:
    """Acknowledged and cleared as a whole only when every member is."""
    members, newest = group.members, max(group.members, key=lambda alarm: alarm.last_at_ms)
    seen = [alarm.acknowledged_at_ms for alarm in members if alarm.acknowledged_at_ms is not None]
    cleared = [alarm.cleared_at_ms for alarm in members if alarm.cleared_at_ms is not None]
    whole = len(members)
    others = tuple(alarm.subject for alarm in members if alarm.subject not in layout.row_of)
    miners = whole - len(others)
    text = newest.text
    if group.kind == "fault":
        text = f"{whole:,} devices: {newest.text}"
    elif group.kind == "device":
        row = layout.row_of.get(group.cause)
        text = f"{group.cause if row is None else layout.slot_name[row]}: {newest.text}"
    else:
        text = f"{whole:,} of {group.of:,} devices on {group.kind} {group.cause}: {newest.text}"
    return AlarmView(
        id=_id(site, group),
        site=site,
        priority=group.priority,
        code=group.code,
        subject=group.cause,
        text=text,
        action=advice(group.code, group.kind),
        raised_at_ms=group.raised_at_ms,
        members=whole,
        miners=miners,
        others=others[:OTHERS_NAMED],
        query=_query(group, miners),
        acknowledged_by=members[-1].acknowledged_by if len(seen) == whole else "",
        acknowledged_at_ms=max(seen) if len(seen) == whole else None,
        cleared_at_ms=max(cleared) if len(cleared) == whole else None,
    )


def _rows(group: AlarmGroup, layout: FleetLayout) -> NDArray[np.intp]:
    known = layout.row_of
    return np.array([known[alarm.subject] for alarm in group.members if alarm.subject in known], np.intp)


def _query(group: AlarmGroup, miners: int) -> str:
    """What finds exactly the members in the table of miners; empty where none is a miner."""
    if not miners:
        return ""
    return f"id:{group.cause}" if group.kind == "device" else f"alarm:{group.code}/{cause_word(group.cause)}"
