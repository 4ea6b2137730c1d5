"""Order lines to signed envelopes, one or more a node, with counters that only rise."""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from nacl.signing import SigningKey

from controller.commands.event import IssuedPart
from controller.commands.model import OrderLine
from controller.journal import SideEffect
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.wire.codec import encode
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Command, Order, SitePlan
from shared.wire.version import WIRE_VERSION

EFFECT_KIND = "order"
LARGEST_PART_BYTES = 700_000  # a message may have 1 MiB
DEADLINE_GRACE_S = 15.0  # what a report may take from the site to here


class CommandKeys(msgspec.Struct, frozen=True):
    """`command` signs everything; `approval` signs beside it what a second person approved."""

    command: SigningKey
    approval: SigningKey

    @property
    def key_id(self) -> str:
        return key_id(self.command.verify_key)


class Counters:
    """The last counter of each (site, node, key). Never below the clock: a restored backup must not fall back."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], int] = {}

    def take(self, site: str, node: str, key: str, now_ms: int) -> int:
        counter = max(self._last.get((site, node, key), 0) + 1, now_ms)
        self._last[site, node, key] = counter
        return counter

    def seen(self, site: str, node: str, key: str, counter: int) -> None:
        """A counter that the journal tells of."""
        self._last[site, node, key] = max(self._last.get((site, node, key), 0), counter)

    def dump(self) -> list[tuple[str, str, str, int]]:
        return [(*place, counter) for place, counter in self._last.items()]


class Parcel(msgspec.Struct, array_like=True, frozen=True):
    """The payload of an outbox entry. Of a plan `part` is 0; `again` where the same bytes went out before."""

    site: str
    node: str
    document_id: str
    part: int
    expires_at_ms: int
    sealed: bytes
    again: bool = False


class Sealer:
    def __init__(self, keys: CommandKeys, counters: Counters) -> None:
        self._keys = keys
        self._counters = counters

    def command(
        self, frame: Command, lines: Sequence[OrderLine], *, approved: bool
    ) -> tuple[tuple[IssuedPart, ...], tuple[SideEffect, ...]]:
        """The parts of a command and what must be sent for them. `frame` gives all but node, counter and orders."""
        parts: list[IssuedPart] = []
        effects: list[SideEffect] = []
        for number, places in enumerate(_by_node(lines), start=1):
            part, effect = self._part(frame, number, lines, places, approved=approved)
            parts.append(part)
            effects.append(effect)
        return tuple(parts), tuple(effects)

    def again(self, frame: Command, part: IssuedPart, lines: Sequence[OrderLine], *, approved: bool) -> bytes | None:
        """The very bytes that went out for a part; `frame` has its times.

        Nothing is kept for it: the journal, the keys and the encoding decide the bytes. None where they come out
        otherwise now, as after a change of keys, since a node must never see two commands under one counter.
        """
        command = _command(frame, part.number, part.node, part.counter, [lines[place] for place in part.orders])
        sealed = self._sealed(command, approved)
        return sealed if hashlib.sha256(sealed).hexdigest() == part.sealed_sha256 else None

    def plan(self, plan: SitePlan) -> tuple[SitePlan, str, SideEffect]:
        """The plan with its counter, the id of the key that signed it, and what must be sent."""
        counter = self._counters.take(plan.site, plan.node, self._keys.key_id, plan.issued_at_ms)
        counted = msgspec.structs.replace(plan, counter=counter)
        sealed = seal(PLAN_DOMAIN, counted, [self._keys.command])
        parcel = Parcel(plan.site, plan.node, plan.plan_id, 0, plan.valid_until_ms, sealed)
        return counted, self._keys.key_id, effect_of(f"plan/{plan.plan_id}", parcel)

    def _part(
        self, frame: Command, number: int, lines: Sequence[OrderLine], places: tuple[int, ...], *, approved: bool
    ) -> tuple[IssuedPart, SideEffect]:
        node = lines[places[0]].node
        counter = self._counters.take(frame.site, node, self._keys.key_id, frame.issued_at_ms)
        command = _command(frame, number, node, counter, [lines[place] for place in places])
        sealed = self._sealed(command, approved)
        slowest_s = max(lines[place].confirm_within_s for place in places)
        part = IssuedPart(
            number=number,
            node=node,
            key_id=self._keys.key_id,
            counter=counter,
            issued_at_ms=frame.issued_at_ms,
            expires_at_ms=frame.expires_at_ms,
            deadline_ms=frame.expires_at_ms + int(1000 * (slowest_s + DEADLINE_GRACE_S)),
            orders=places,
            sealed_sha256=hashlib.sha256(sealed).hexdigest(),
        )
        parcel = Parcel(frame.site, node, frame.command_id, number, frame.expires_at_ms, sealed)
        return part, effect_of(command.command_id, parcel)

    def _sealed(self, command: Command, approved: bool) -> bytes:
        return seal(DOMAIN, command, [self._keys.command, self._keys.approval] if approved else [self._keys.command])


def frame_of(command_id: str, site: str, reason: str, issued_at_ms: int, expires_in_s: float) -> Command:
    """A command without node, counter and orders."""
    expires_at_ms = issued_at_ms + int(1000 * expires_in_s)
    return Command(WIRE_VERSION, command_id, site, "", 0, issued_at_ms, expires_at_ms, reason, ())


def wire_id(command_id: str, part: int) -> str:
    """What a node knows a part by; nodes drop a command id that they have seen."""
    return f"{command_id}.{part}"


def _command(frame: Command, number: int, node: str, counter: int, lines: Sequence[OrderLine]) -> Command:
    return msgspec.structs.replace(
        frame,
        command_id=wire_id(frame.command_id, number),
        node=node,
        counter=counter,
        orders=tuple(_order(line) for line in lines),
    )


def effect_of(key: str, parcel: Parcel) -> SideEffect:
    """One lane a node: it gets its parcels in the order of their counters."""
    return SideEffect(key, EFFECT_KIND, f"{parcel.site}/{parcel.node}", encode(parcel))


def _order(line: OrderLine) -> Order:
    return Order(line.device_id, line.action, line.expected_state)


def _by_node(lines: Sequence[OrderLine]) -> Iterator[tuple[int, ...]]:
    """Places of the lines of each node in the order given, cut where a message would become too large."""
    nodes: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        nodes.setdefault(line.node, []).append(place)
    for places in nodes.values():
        start, size = 0, 0
        for end, place in enumerate(places):
            order_bytes = len(encode(_order(lines[place])))
            if size + order_bytes > LARGEST_PART_BYTES:
                yield tuple(places[start:end])
                start, size = end, 0
            size += order_bytes
        yield tuple(places[start:])
