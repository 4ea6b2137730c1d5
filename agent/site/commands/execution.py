"""One order, from the device's line to an end that was seen.

    admitted → applied → acknowledged → read back until it shows, or until the firmware's deadline

An acknowledgement is never an end. After an error of the line nobody knows whether the order arrived, so it is read
back, never repeated.
"""

import asyncio
import math
from contextlib import suppress

from agent.site.commands.concern import Concern, concerns
from agent.site.commands.confirmation import Confirmation, Watched
from agent.site.commands.context import Context, Conversations, Target
from agent.site.commands.outlet_batch import OutletBatches
from agent.site.commands.outlet_rest import OutletRests
from agent.site.commands.outlet_witness import OutletWitness
from agent.site.commands.refusal import EXPIRED, NOT_SEEN, OUTLET_REST, STATE_CHANGED, UNKNOWN_DEVICE, UNSUPPORTED
from agent.site.devices.ports import Effect, ReadBack
from agent.site.devices.reading import Evidence
from agent.site.safety import adds_load
from shared.actions import Action, ReadNow, Sleep, SwitchOutlet
from shared.clock import instant
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation, StorageError, Unreachable
from shared.log import get_logger
from shared.states import OpState, OutcomeState
from shared.wire.command import Command, Order

RESUME_WITHIN_S = 120.0
_STATE_AGE_S = 15.0
_NOBODY_KNOWS = (DeviceTimeout, Unreachable, ProtocolViolation)

log = get_logger("agent.commands")


class Execution:
    """Carries out orders, many at once; a newer order about the same thing ends the watch over the one before."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._conversations = Conversations()
        self._confirmation = Confirmation(context, self._conversations)
        self._outlets = OutletBatches()
        self._rests = OutletRests(context.clock)
        self._watched: dict[Concern, asyncio.Event] = {}
        self._shown_s = -math.inf  # when an effect was seen last

    async def carry_out(self, command: Command, position: int) -> None:
        """From admission to the end; never raises."""
        order = command.orders[position]
        try:
            if adds_load(order.action):  # judged on what orders before it have changed
                await self._context.image_after(self._shown_s)
            target = self._admit(command, position)
            if target is None:
                return
            superseded = self._take_over(order)
            if isinstance(order.action, ReadNow):
                await self._read_now(command, position, target)
                return
            witness = OutletWitness(order.action, order.device_id, self._context.image())
            before = await self._apply(command, position, target)
            if before is not _ENDED:
                await self._watch(command, position, Watched(target, witness, superseded, before))
        except Exception as error:
            log.exception("order.bug", command=command.command_id, device=order.device_id)
            self._end(command, position, OutcomeState.UNKNOWN, rule="bes.error", detail=type(error).__name__)

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
        witness = OutletWitness(order.action, order.device_id, self._context.image())
        await self._watch(command, position, Watched(target, witness, superseded))

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
        objection = self._rest_objection(command, order)
        if objection is not None:
            self._refuse(command, position, OUTLET_REST, objection)
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

    def _rest_objection(self, command: Command, order: Order) -> str | None:
        pdu = self._context.roster.pdus.get(order.device_id)
        if pdu is None or not isinstance(order.action, SwitchOutlet) or not command.site:  # our own rules ask at once
            return None
        return self._rests.objection(pdu, order.action)

    def _load_of(self, order: Order) -> str:
        """The miner whose draw the order changes: for an outlet, the one that is plugged into it."""
        return self._context.interlocks.load_of(order.device_id, order.action)

    def _state_change(self, order: Order) -> str | None:
        """What differs from the state that the sender saw; an unknown state differs from nothing."""
        miner = self._context.image().miners.get(order.device_id)
        if order.expected_state is None or miner is None:
            return None
        now = miner.op_state(self._context.clock.monotonic_s(), _STATE_AGE_S)
        if now is OpState.UNKNOWN or now == order.expected_state:
            return None
        then = {state.value: state.name.lower() for state in OpState}.get(order.expected_state)
        was = f"state {order.expected_state}, which this agent does not know," if then is None else then
        return f"it was {was} when the order was given and is {now.name.lower()} now"

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
                    if before is not None:
                        self._rests.switched(target.device_id, order.action)
            else:
                async with self._conversations.with_device(target):
                    before = await target.driver.prepare(order.action)
                    acknowledgement = await target.driver.apply(order.action)
        except _NOBODY_KNOWS as error:
            log.info("order.unanswered", device=order.device_id, code=error.code)
            return before
        except TimeoutError:
            return before
        except DeviceError as error:
            self._context.interlocks.withdraw(self._load_of(order), order.action)
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

    async def _watch(self, command: Command, position: int, watched: Watched) -> None:
        order = command.orders[position]
        ending = await self._confirmation.of(order, watched)
        if ending.state is OutcomeState.CONFIRMED:
            self._shown_s = self._context.clock.monotonic_s()
            if _rests(order.action):
                self._context.interlocks.rests(self._load_of(order))
        self._end(command, position, ending.state, rule=ending.rule, detail=ending.detail, seen=ending.seen)

    async def _read_now(self, command: Command, position: int, target: Target) -> None:
        try:
            async with self._conversations.with_device(target):
                evidence = await self._read_into_image(target)
        except (DeviceError, TimeoutError) as error:
            code = error.code if isinstance(error, DeviceError) else DeviceTimeout.code
            self._end(command, position, OutcomeState.UNKNOWN, rule=code, detail=str(error))
            return
        seen = ReadBack(Effect.SHOWN, "read", evidence)
        self._end(command, position, OutcomeState.CONFIRMED, seen=seen)

    async def _read_into_image(self, target: Target) -> tuple[Evidence, ...]:
        clock = self._context.clock
        miner = self._context.roster.miners.get(target.device_id)
        if miner is not None:
            reading = await miner.driver.read_full()
            self._context.live.miner_read(miner, instant(clock), reading)
            return reading.evidence
        pdu = self._context.roster.pdus[target.device_id]
        outlets = await pdu.driver.read()
        self._context.live.pdu_read(pdu, instant(clock), outlets)
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


def _rests(action: Action) -> bool:
    """Does nothing run on once this has had its effect?"""
    return isinstance(action, Sleep) or (isinstance(action, SwitchOutlet) and not action.on)
