"""One order, from the device's line to an end that was seen.

    admitted → applied → acknowledged → read back until it shows, or until the firmware's deadline

An acknowledgement is never an end. After an error of the line nobody knows whether the order arrived, so it is read
back, never repeated.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from agent.site.commands.concern import Concern, concerns
from agent.site.commands.outcome import Outcomes
from agent.site.commands.outlet_batch import OutletBatches
from agent.site.commands.refusal import EXPIRED, NOT_SEEN, STATE_CHANGED, SUPERSEDED, UNKNOWN_DEVICE, UNSUPPORTED
from agent.site.devices.image import ProcessImage
from agent.site.devices.ports import Effect, Miner, Pdu, ReadBack
from agent.site.devices.reading import Evidence
from agent.site.roster import Known, Roster
from agent.site.safety import Interlocks
from agent.site.telemetry.live import Live
from shared.actions import Action, ReadNow, SwitchOutlet
from shared.clock import Clock
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation, StorageError, Unreachable
from shared.log import get_logger
from shared.states import OpState, OutcomeState
from shared.wire.command import Command, Order

CONVERSATIONS = 256
APPLY_DEADLINE_S = 15.0
CONFIRM_WITHIN_S = 180.0
RESUME_WITHIN_S = 120.0
_READ_BACK_PAUSES_S = (0.3, 0.7, 1.0, 2.0, 3.0)
_STATE_AGE_MS = 15_000
_NOBODY_KNOWS = (DeviceTimeout, Unreachable, ProtocolViolation)

log = get_logger("agent.commands")

Target = Known[Miner] | Known[Pdu]


class Context(msgspec.Struct, frozen=True):
    """What an execution needs of the site around it."""

    roster: Roster
    live: Live
    interlocks: Interlocks
    outcomes: Outcomes
    clock: Clock
    image: Callable[[], ProcessImage]
    heat: Callable[[str], None]
    now_ms: Callable[[], int]
    keep: Callable[[str, int, Sequence[Evidence]], Awaitable[None]]


class Execution:
    """Carries out orders, many at once; a newer order about the same thing ends the watch over the one before."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._places = asyncio.Semaphore(CONVERSATIONS)
        self._outlets = OutletBatches()
        self._watched: dict[Concern, asyncio.Event] = {}

    async def carry_out(self, command: Command, position: int) -> None:
        """From admission to the end; never raises."""
        order = command.orders[position]
        target = self._admit(command, position)
        if target is None:
            return
        superseded = self._take_over(order)
        try:
            if isinstance(order.action, ReadNow):
                await self._read_now(command, position, target)
                return
            before = await self._apply(command, position, target)
            if before is not _ENDED:
                await self._watch(command, position, target, before, superseded)
        except Exception as error:
            log.exception("order.bug", command=command.command_id, device=order.device_id)
            self._end(command, position, OutcomeState.UNKNOWN, rule="bes.error", detail=type(error).__name__)
        finally:
            self._context.interlocks.settle(self._load_of(order))

    async def resume(self, command: Command, position: int) -> None:
        """An order that an earlier life of this agent did not see to its end: look, do not repeat."""
        order = command.orders[position]
        superseded = self._take_over(order)
        target: Target | None = None
        if not isinstance(order.action, ReadNow):
            target = await self._context.roster.arrival(order.device_id, RESUME_WITHIN_S)
        if target is None:
            detail = "the agent restarted; not repeated"
            self._end(command, position, OutcomeState.UNKNOWN, rule=NOT_SEEN, detail=detail)
            return
        await self._watch(command, position, target, None, superseded)

    def _admit(self, command: Command, position: int) -> Target | None:
        """The device, where every rule lets the order pass."""
        order = command.orders[position]
        target = self._context.roster.commandable(order.device_id)
        if target is None:
            self._refuse(command, position, UNKNOWN_DEVICE, f"{order.device_id} is not known on this site")
            return None
        if not isinstance(order.action, ReadNow) and order.action.verb not in target.driver.verbs:
            detail = f"{target.record.family} {target.record.firmware} cannot {order.action.verb}"
            self._refuse(command, position, UNSUPPORTED, detail)
            return None
        if command.expires_at_ms < self._context.now_ms():
            self._refuse(command, position, EXPIRED, "expired before its turn came")
            return None
        changed = self._state_change(order)
        if changed is not None:
            self._refuse(command, position, STATE_CHANGED, changed)
            return None
        refusal = self._context.interlocks.admit(self._load_of(order), order.action)
        if refusal is not None:
            self._refuse(command, position, refusal.rule, refusal.detail)
            return None
        self._context.outcomes.step(command, position, OutcomeState.ACCEPTED)
        return target

    def _load_of(self, order: Order) -> str:
        """The miner whose draw the order changes: for an outlet, the one that is plugged into it."""
        if isinstance(order.action, SwitchOutlet):
            for miner in self._context.image().miners.values():
                placed = miner.placement
                if placed is not None and (placed.pdu, placed.outlet) == (order.device_id, order.action.outlet):
                    return miner.device_id
        return order.device_id

    def _state_change(self, order: Order) -> str | None:
        """What differs from the state that the sender saw; an unknown state differs from nothing."""
        miner = self._context.image().miners.get(order.device_id)
        if order.expected_state is None or miner is None:
            return None
        now = miner.op_state(self._context.clock.now_ms(), _STATE_AGE_MS)
        if now is OpState.UNKNOWN or now == order.expected_state:
            return None
        then = OpState(order.expected_state)
        return f"it was {then.name.lower()} when the order was given and is {now.name.lower()} now"

    async def _apply(self, command: Command, position: int, target: Target) -> object:
        """Order it once. Returns what was read before, or `_ENDED` where the order has ended here."""
        order = command.orders[position]
        before: object = None
        try:
            if isinstance(order.action, SwitchOutlet):
                batch = self._outlets.join(self._context.roster.pdus[target.device_id], order.action)
                try:
                    acknowledgement = await batch.switched(order.action.outlet)
                finally:
                    before = batch.before.get(order.action.outlet)
            else:
                async with self._places, target.line.for_order(), asyncio.timeout(APPLY_DEADLINE_S):
                    before = await target.driver.prepare(order.action)
                    acknowledgement = await target.driver.apply(order.action)
        except _NOBODY_KNOWS as error:
            log.info("order.unanswered", device=order.device_id, code=error.code)
            return before
        except TimeoutError:
            return before
        except DeviceError as error:
            self._refuse(command, position, error.code, error.detail)
            return _ENDED
        self._context.heat(order.device_id)
        if acknowledgement.evidence:
            with suppress(StorageError):  # a full disk must not turn a carried out order into an unknown one
                await self._context.keep(command.command_id, position, acknowledgement.evidence)
        self._context.outcomes.step(
            command,
            position,
            OutcomeState.ACKNOWLEDGED,
            detail=acknowledgement.text,
            evidence=acknowledgement.evidence,
        )
        return before

    async def _watch(
        self, command: Command, position: int, target: Target, before: object, superseded: asyncio.Event
    ) -> None:
        """Read back until the effect shows; at the deadline say what was seen last."""
        order = command.orders[position]
        within_s = target.record.confirm_within_s.get(order.action.verb, CONFIRM_WITHIN_S)
        deadline_s = self._context.clock.monotonic_s() + within_s
        seen: ReadBack | None = None
        for attempt in itertools.count():
            pause_s = _READ_BACK_PAUSES_S[min(attempt, len(_READ_BACK_PAUSES_S) - 1)]
            if await _happens_within(superseded, pause_s):
                detail = "a newer order to this device took over before the effect was seen"
                self._end(command, position, OutcomeState.UNKNOWN, rule=SUPERSEDED, detail=detail)
                return
            latest = await self._read_back(target, order.action, before)
            seen = latest or seen
            if latest is not None and latest.effect is Effect.SHOWN:
                self._end(command, position, OutcomeState.CONFIRMED, seen=latest)
                return
            if self._context.clock.monotonic_s() >= deadline_s:
                break
        if seen is not None and seen.effect is Effect.NOT_SHOWN:
            self._end(command, position, OutcomeState.CONTRADICTED, seen=seen, detail=f"not within {within_s:.0f} s")
        else:
            self._end(command, position, OutcomeState.UNKNOWN, seen=seen, rule=NOT_SEEN)

    async def _read_back(self, target: Target, action: Action, before: object) -> ReadBack | None:
        """None where the device did not answer."""
        try:
            async with self._places, target.line.for_order(), asyncio.timeout(APPLY_DEADLINE_S):
                return await target.driver.read_back(action, before)
        except (DeviceError, TimeoutError):
            return None

    async def _read_now(self, command: Command, position: int, target: Target) -> None:
        try:
            async with self._places, target.line.for_order(), asyncio.timeout(APPLY_DEADLINE_S):
                evidence = await self._read_into_image(target)
        except (DeviceError, TimeoutError) as error:
            code = error.code if isinstance(error, DeviceError) else DeviceTimeout.code
            self._end(command, position, OutcomeState.UNKNOWN, rule=code, detail=str(error))
            return
        seen = ReadBack(Effect.SHOWN, "read", evidence)
        self._end(command, position, OutcomeState.CONFIRMED, seen=seen)

    async def _read_into_image(self, target: Target) -> tuple[Evidence, ...]:
        now_ms = self._context.clock.now_ms
        miner = self._context.roster.miners.get(target.device_id)
        if miner is not None:
            reading = await miner.driver.read_full()
            self._context.live.miner_read(miner, now_ms(), reading)
            return reading.evidence
        pdu = self._context.roster.pdus[target.device_id]
        outlets = await pdu.driver.read()
        self._context.live.pdu_read(pdu, now_ms(), outlets)
        return outlets.evidence

    def _take_over(self, order: Order) -> asyncio.Event:
        """An event that a newer order about the same thing sets."""
        mine = asyncio.Event()
        for concern in concerns(order):
            older = self._watched.get(concern)
            if older is not None:
                older.set()
            self._watched[concern] = mine
        return mine

    def _refuse(self, command: Command, position: int, rule: str, detail: str) -> None:
        self._end(command, position, OutcomeState.REFUSED, rule=rule, detail=detail)

    def _end(
        self,
        command: Command,
        position: int,
        state: OutcomeState,
        *,
        rule: str = "",
        detail: str = "",
        seen: ReadBack | None = None,
    ) -> None:
        observed, evidence = ("", ()) if seen is None else (seen.observed, seen.evidence)
        self._context.outcomes.step(
            command, position, state, rule=rule, detail=detail, observed=observed, evidence=evidence
        )


_ENDED = object()


async def _happens_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
