"""`MqttGateway`: one session for the sites of this controller, acknowledged by hand."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from nacl.signing import SigningKey

from shared.crypto.signing import seal
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.wire.record import RECEIPT_DOMAIN, Receipt
from shared.wire.topics import all_up, down

_WINDOW = 1000


class MqttGateway:
    """Fills the ports ReceiptChannel, CommandPublisher and SigningPublisher. `deliver` is called in the session's
    thread for every message of the sites; `key` signs receipts. Sessions are clean: spools hold what is owed.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        key: SigningKey,
        deliver: Callable[[Message], None],
        sites: Iterable[str] = ("+",),
    ) -> None:
        subscriptions = tuple(Subscription(all_up(site)) for site in sites)
        endpoint = Endpoint(client_id, subscriptions, manual_ack=True, window=_WINDOW)
        self.session = MqttSession(settings, endpoint, deliver)
        self._key = key

    @property
    def connected(self) -> bool:
        return self.session.connected

    def start(self) -> None:
        """Returns at once; connecting goes on behind, for ever."""
        self.session.start()

    def stop(self) -> None:
        self.session.stop()

    def ack(self, messages: Sequence[Message]) -> None:
        self.session.ack(messages)

    def reset(self) -> None:
        self.session.reconnect()

    def publish_receipt(self, receipt: Receipt) -> bool:
        topic = down(receipt.site, receipt.node, "receipt")
        return self.session.publish(topic, seal(RECEIPT_DOMAIN, receipt, [self._key]))

    async def publish_command(self, site: str, node: str, sealed: bytes) -> None:
        """Returns when the broker has taken it over; GatewayUnavailable otherwise. A node that is away misses it, and
        gets it again when it comes back in time.
        """
        await asyncio.to_thread(self.session.deliver, down(site, node, "command"), sealed)

    async def publish_signing(self, site: str, node: str, sealed: bytes) -> None:
        """To a signing box, in the same way."""
        await asyncio.to_thread(self.session.deliver, down(site, node, "signing"), sealed)

    async def publish_plan(self, site: str, node: str, sealed: bytes) -> None:
        """The same, retained: a node that comes back finds the plan that holds."""
        await asyncio.to_thread(self.session.deliver, down(site, node, "policy"), sealed, retain=True)
