"""From the outbox to the boxes and to the node."""

import msgspec

from controller.journal import Append, OutboxEntry
from controller.signing.event import (
    BroadcastRefused,
    RequestSent,
    TransactionBroadcast,
    codec,
    proposal_stream,
)
from controller.signing.ports import Chain, SigningPublisher
from controller.signing.request import Broadcast, Parcel
from shared.clock import Clock
from shared.errors import GatewayRefused
from shared.wire.codec import decode

ACTOR = "controller"


class BoxDelivery:
    """`deliver` is handed to a Dispatcher of kind `request.SIGNING_KIND`. Nothing is published after its expiry."""

    def __init__(self, publisher: SigningPublisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def deliver(self, entry: OutboxEntry) -> tuple[Append, ...]:
        parcel = decode(entry.payload, Parcel)
        if self._clock.now_ms() > parcel.expires_at_ms:
            return ()  # the round's own deadline ends it
        await self._publisher.publish_signing(parcel.site, parcel.node, parcel.packet)
        fact = codec.encode(RequestSent(parcel.proposal_id, parcel.request_id), ACTOR)
        return (Append(proposal_stream(parcel.proposal_id), (fact,)),)


class ChainDelivery:
    """`deliver` is handed to a Dispatcher of kind `request.BROADCAST_KIND`.

    A node that refuses for good does not end a proposal: a transaction once final may come into a block through
    anybody. The watch looks after it until the chain has decided.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def deliver(self, entry: OutboxEntry) -> tuple[Append, ...]:
        job = decode(entry.payload, Broadcast)
        fact: msgspec.Struct = TransactionBroadcast(job.proposal_id, job.txid, job.number)
        try:
            await self._chain.broadcast(job.raw)
        except GatewayRefused as error:
            fact = BroadcastRefused(job.proposal_id, job.txid, job.number, error.detail)
        return (Append(proposal_stream(job.proposal_id), (codec.encode(fact, ACTOR),)),)
