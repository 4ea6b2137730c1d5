"""Miners that a person operates. Dispatch leaves them alone until somebody releases them or orders them to wake.

A person's order to sleep, to a limit, to a mode or to switch an outlet off holds its miners; what it holds is written
in the same commit as the order. Programs with a token count as people here: only dispatch's own orders hold nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from controller.commands.model import OrderLine
from controller.commands.refusal import Refusal
from controller.journal import Append, EventCodec, Journal, RecordedEvent
from shared.actions import Action, SetPowerLimit, SetPowerMode, Sleep, SwitchOutlet, Wake
from shared.errors import Denied
from shared.site import Site, miner_id

STREAM = "hold"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Who operates a miner, since when and why; `command_id` is the order that began it."""

    by: str
    at_ms: int
    reason: str
    command_id: str


class MinersHeld(msgspec.Struct, frozen=True, kw_only=True):
    """By the event's actor."""

    site: str
    command_id: str
    reason: str
    device_ids: tuple[str, ...]


class MinersReleased(msgspec.Struct, frozen=True, kw_only=True):
    """By the event's actor; `command_id` where an order to wake released them."""

    site: str
    reason: str
    device_ids: tuple[str, ...]
    command_id: str = ""


codec = EventCodec((MinersHeld, MinersReleased))


class Change(NamedTuple):
    """What an order holds and what it releases."""

    held: frozenset[str]
    released: frozenset[str]


class HoldBook:
    """A projection of one stream; `restore` before dispatch decides."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._position = 0
        self._held: dict[str, dict[str, Hold]] = {}
        self._coming: Counter[tuple[str, str]] = Counter()
        self._listeners: list[Callable[[str], None]] = []
        self._releasing = asyncio.Lock()
        journal.subscribe(self.fold)

    async def restore(self) -> None:
        self.fold(await self._journal.stream(STREAM))

    def listen(self, listener: Callable[[str], None]) -> None:
        """Called with the site whose holds have changed."""
        self._listeners.append(listener)

    def of(self, site: str) -> Mapping[str, Hold]:
        """Device to its hold."""
        return MappingProxyType(self._held.get(site, {}))

    def held(self, site: str) -> frozenset[str]:
        """Whom dispatch must leave alone now, those included whose hold is being written."""
        coming = (device for at, device in self._coming if at == site)
        return frozenset(self._held.get(site, ())).union(coming)

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        """Take what was written; events that were folded before change nothing."""
        for event in events:
            if event.stream != STREAM or event.position <= self._position:
                continue
            self._position = event.position
            fact = codec.decode(event)
            if isinstance(fact, MinersHeld):
                hold = Hold(by=event.actor, at_ms=event.at_ms, reason=fact.reason, command_id=fact.command_id)
                self._held.setdefault(fact.site, {}).update(dict.fromkeys(fact.device_ids, hold))
            elif isinstance(fact, MinersReleased):
                held = self._held.get(fact.site, {})
                for device in fact.device_ids:
                    held.pop(device, None)
            if isinstance(fact, MinersHeld | MinersReleased):
                for listener in self._listeners:
                    listener(fact.site)

    def appends(self, site: str, change: Change, command_id: str, reason: str, actor: str) -> tuple[Append, ...]:
        """What has to be written with an order; nothing where it changes no hold."""
        facts: list[msgspec.Struct] = []
        if change.held:
            held = tuple(sorted(change.held))
            facts.append(MinersHeld(site=site, command_id=command_id, reason=reason, device_ids=held))
        if freed := tuple(sorted(change.released & self.held(site))):
            facts.append(MinersReleased(site=site, reason=reason, device_ids=freed, command_id=command_id))
        return (Append(STREAM, tuple(codec.encode(fact, actor) for fact in facts)),) if facts else ()

    @contextmanager
    def coming(self, site: str, change: Change) -> Iterator[None]:
        """Hold already while the order is being written, so that no decision slips in between."""
        places = [(site, device) for device in change.held]
        self._coming.update(places)
        try:
            yield
        finally:
            self._coming.subtract(places)
            self._coming = +self._coming

    async def release(self, site: str, devices: Iterable[str], reason: str, actor: str) -> tuple[str, ...]:
        """Give miners back to dispatch; who really was held. Denied `command.not-held` where nobody was."""
        if not reason.strip():
            raise Denied(Refusal.REASON_MISSING, "say why; the reason stays with the release")
        async with self._releasing:
            freed = tuple(sorted(self._held.get(site, {}).keys() & set(devices)))
            if not freed:
                raise Denied(Refusal.NOT_HELD, "no person holds any of these miners; dispatch has them already")
            fact = MinersReleased(site=site, reason=reason.strip(), device_ids=freed)
            await self._journal.append(STREAM, [codec.encode(fact, actor)])
        return freed


def change_of(site: Site, lines: Iterable[OrderLine]) -> Change:
    """What orders of a person mean for dispatch; of two for one miner the later one counts."""
    holds: dict[str, bool] = {}
    for line in lines:
        held = _holds(line.action)
        if held is not None:
            holds.update(dict.fromkeys(_miners(site, line), held))
    return Change(
        frozenset(device for device, held in holds.items() if held),
        frozenset(device for device, held in holds.items() if not held),
    )


def _holds(action: Action) -> bool | None:
    """True where dispatch must not undo it, False where it gives the miner back, None where it is neither."""
    match action:
        case Sleep() | SetPowerLimit() | SetPowerMode():
            return True
        case Wake():
            return False
        case SwitchOutlet():
            return not action.on
    return None


def _miners(site: Site, line: OrderLine) -> tuple[str, ...]:
    """The miner itself, or those that the site's file plugs into a PDU's outlet."""
    if not isinstance(line.action, SwitchOutlet):
        return (line.device_id,)
    outlet = (line.device_id, line.action.outlet)
    return tuple(miner_id(placed.mac) for placed in site.placement if (placed.pdu, placed.outlet) == outlet)
