"""Looks at a device until an order shows or its time is over. Nothing is ever repeated here, only read."""

import asyncio
import itertools

import msgspec

from agent.site.commands.context import Context, Conversations, Target
from agent.site.commands.outlet_witness import OutletWitness
from agent.site.commands.refusal import NOT_SEEN, SUPERSEDED
from agent.site.devices.ports import Effect, ReadBack
from shared.actions import Action
from shared.clock import instant
from shared.errors import DeviceError
from shared.states import OutcomeState
from shared.wire.command import Order

CONFIRM_WITHIN_S = 180.0
_PAUSES_S = (0.3, 0.7, 1.0, 2.0, 3.0)


class Watched(msgspec.Struct, frozen=True):
    """What the look at an order needs of its giving: `before` as the driver read it."""

    target: Target
    witness: OutletWitness
    superseded: asyncio.Event
    before: object = None


class Ending(msgspec.Struct, frozen=True):
    state: OutcomeState
    seen: ReadBack | None = None
    rule: str = ""
    detail: str = ""


class Confirmation:
    def __init__(self, context: Context, conversations: Conversations) -> None:
        self._context = context
        self._conversations = conversations

    async def of(self, order: Order, watched: Watched) -> Ending:
        """Read back until the effect shows; at the deadline say what was seen last."""
        clock = self._context.clock
        within_s = watched.target.record.confirm_within_s.get(order.action.verb, CONFIRM_WITHIN_S)
        deadline_s = clock.monotonic_s() + within_s
        watched.witness.ordered(clock.monotonic_s())
        seen: ReadBack | None = None
        for attempt in itertools.count():
            if await _happens_within(watched.superseded, _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]):
                detail = "a newer order to this device took over before the effect was seen"
                return Ending(OutcomeState.UNKNOWN, rule=SUPERSEDED, detail=detail)
            told = await self._read_back(watched, order.action)
            latest = watched.witness.weigh(told, self._context.image())
            seen = latest or seen
            if latest is not None and latest.effect is Effect.SHOWN:
                return Ending(OutcomeState.CONFIRMED, latest)
            if clock.monotonic_s() >= deadline_s:
                break
            if attempt == 0 and watched.witness.listens:
                self._ask_outlet(watched.target)
        if seen is not None and seen.effect is Effect.NOT_SHOWN:
            return Ending(OutcomeState.CONTRADICTED, seen, detail=f"not within {within_s:.0f} s")
        return Ending(OutcomeState.UNKNOWN, seen, rule=NOT_SEEN)

    async def _read_back(self, watched: Watched, action: Action) -> ReadBack | None:
        """None where the device did not answer. What was read stands in the next image. A miner may have moved to
        another address since the order.
        """
        context = self._context
        target = context.roster.commandable(watched.target.device_id) or watched.target
        try:
            async with self._conversations.with_device(target):
                told = await target.driver.read_back(action, watched.before)
        except (DeviceError, TimeoutError):
            return None
        miner = context.roster.miners.get(target.device_id)
        if told.reading is not None and miner is not None:
            context.live.miner_read(miner, instant(context.clock), told.reading)
        return told

    def _ask_outlet(self, target: Target) -> None:
        """The device has not shown it at once: let the PDU that feeds it be read often for a while."""
        placed = target.placement
        if placed is not None and placed.pdu is not None:
            self._context.heat(placed.pdu)


async def _happens_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
