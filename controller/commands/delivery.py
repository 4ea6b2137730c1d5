"""From the outbox to the broker."""

from controller.commands.event import PartAbandoned, PartSent, PlanSent, PlanUndelivered, codec, command_stream
from controller.commands.ports import CommandPublisher
from controller.commands.refusal import Refusal
from controller.commands.seal import Parcel
from controller.journal import Append, OutboxEntry
from shared.clock import Clock
from shared.errors import WireError
from shared.wire.codec import decode

ACTOR = "controller"
_TOO_LATE = "the broker could not be reached before it expired"


class Delivery:
    """`deliver` is handed to a Dispatcher of kind `seal.EFFECT_KIND`. Nothing is published after its expiry.

    A part that was to go out again is then not abandoned: its node may have got it the first time.
    """

    def __init__(self, publisher: CommandPublisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def deliver(self, entry: OutboxEntry) -> tuple[Append, ...]:
        parcel = decode(entry.payload, Parcel)
        in_time = self._clock.now_ms() <= parcel.expires_at_ms
        if parcel.part == 0:
            if in_time:
                await self._publisher.publish_plan(parcel.site, parcel.node, parcel.sealed)
            return (_plan_told(parcel, in_time),)
        if in_time:
            await self._publisher.publish_command(parcel.site, parcel.node, parcel.sealed)
        return () if parcel.again and not in_time else (_part_told(parcel, in_time),)

    def abandon(self, entry: OutboxEntry, detail: str) -> tuple[Append, ...]:
        """What is to be written where an entry cannot be delivered at all; nothing of one that cannot be read."""
        try:
            parcel = decode(entry.payload, Parcel)
        except WireError:
            return ()
        if parcel.part == 0:
            return (_plan_told(parcel, sent=False, why=detail),)
        return () if parcel.again else (_part_told(parcel, sent=False, why=detail),)


def _part_told(parcel: Parcel, sent: bool, why: str = _TOO_LATE) -> Append:
    command_id, part = parcel.document_id, parcel.part
    fact = PartSent(command_id, part) if sent else PartAbandoned(command_id, part, Refusal.UNDELIVERED, why)
    return Append(command_stream(command_id), (codec.encode(fact, ACTOR),))


def _plan_told(parcel: Parcel, sent: bool, why: str = _TOO_LATE) -> Append:
    fact = PlanSent(parcel.document_id) if sent else PlanUndelivered(parcel.document_id, why)
    return Append(f"plan/{parcel.site}/{parcel.node}", (codec.encode(fact, ACTOR),))
