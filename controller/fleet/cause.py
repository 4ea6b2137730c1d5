"""Group alarms by cause: 125 silent miners behind one breaker are one alarm with 125 members."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from controller.fleet.alarm import Alarm
from controller.fleet.tree import ElectricalTree

COMMON_SHARE = 0.8  # of all devices on it: then the feeder or container is the likelier cause
SMALLEST_GROUP = 3
SELF_REPORTED = frozenset({"device.fault", "meter.fault"})  # what devices say of themselves: no feeder causes it


class AlarmGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms of one code with one likely cause. `kind` is feeder, container, fault or device; `of` counts all on it.

    A fault is what devices say of themselves, by what stands before its colon.
    """

    code: str
    kind: str
    cause: str
    members: tuple[Alarm, ...]
    of: int

    @property
    def priority(self) -> int:
        """The most urgent of its members."""
        return min(member.priority for member in self.members)

    @property
    def raised_at_ms(self) -> int:
        return min(member.raised_at_ms for member in self.members)


class _Place(NamedTuple):
    kind: str
    name: str
    devices: frozenset[str]


def grouped(alarms: Sequence[Alarm], tree: ElectricalTree | None) -> list[AlarmGroup]:
    """Every alarm in exactly one group, most urgent first, then newest first.

    A feeder is taken as cause before a container, and the highest feeder that explains its members before those below.
    """
    by_code: dict[str, dict[str, Alarm]] = defaultdict(dict)
    for alarm in alarms:
        by_code[alarm.code][alarm.subject] = alarm
    places = list(_places(tree)) if tree is not None else []
    groups = [group for code, open_ones in by_code.items() for group in _groups_of(code, open_ones, places)]
    return sorted(groups, key=lambda group: (group.priority, -group.raised_at_ms, group.cause))


def _groups_of(code: str, by_subject: dict[str, Alarm], places: Sequence[_Place]) -> Iterator[AlarmGroup]:
    if code in SELF_REPORTED:
        yield from _by_words(code, by_subject)
        return
    ungrouped = dict(by_subject)
    for place in places:
        if len(ungrouped) < SMALLEST_GROUP:
            break
        touched = place.devices & ungrouped.keys()
        if len(touched) < SMALLEST_GROUP or len(touched) < COMMON_SHARE * len(place.devices):
            continue
        members = tuple(ungrouped.pop(subject) for subject in sorted(touched))
        yield AlarmGroup(code=code, kind=place.kind, cause=place.name, members=members, of=len(place.devices))
    for alarm in ungrouped.values():
        yield _alone(alarm)


def _by_words(code: str, by_subject: dict[str, Alarm]) -> Iterator[AlarmGroup]:
    """Devices that report the same fault are one line, wherever they stand."""
    by_words: dict[str, list[Alarm]] = defaultdict(list)
    for subject in sorted(by_subject):
        by_words[by_subject[subject].text.partition(":")[0]].append(by_subject[subject])
    for words, members in by_words.items():
        if len(members) < SMALLEST_GROUP:
            yield from map(_alone, members)
        else:
            yield AlarmGroup(code=code, kind="fault", cause=words, members=tuple(members), of=len(members))


def _alone(alarm: Alarm) -> AlarmGroup:
    return AlarmGroup(code=alarm.code, kind="device", cause=alarm.subject, members=(alarm,), of=1)


def _places(tree: ElectricalTree) -> Iterator[_Place]:
    """Feeders from the root down, then containers. Of feeders with the same miners the lowest stands for all."""
    feeders: dict[frozenset[str], _Place] = {}
    for feeder in tree.feeders:
        miners = frozenset(device for device in tree.devices_below(feeder.id) if device in tree.placements)
        feeders[miners] = _Place("feeder", feeder.id, miners)
    yield from feeders.values()
    containers: dict[str, set[str]] = defaultdict(set)
    for device_id, placed in tree.placements.items():
        containers[placed.container].add(device_id)
    for container, devices in containers.items():
        yield _Place("container", container, frozenset(devices))
