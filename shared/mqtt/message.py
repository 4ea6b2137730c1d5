"""What goes over a session."""

from typing import NamedTuple


class Message(NamedTuple):
    """Received. `mid` means something only on the connection `generation`."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    generation: int


class Subscription(NamedTuple):
    topic_filter: str
    qos: int = 1


class Will(NamedTuple):
    """Published by the broker, retained, when the connection is lost."""

    topic: str
    payload: bytes


class Endpoint(NamedTuple):
    """Who a session is and what it wants. `window` messages may be on their way unacknowledged. With `manual_ack` the
    broker learns of an arrival only by `MqttSession.ack`.
    """

    client_id: str
    subscriptions: tuple[Subscription, ...] = ()
    will: Will | None = None
    manual_ack: bool = False
    window: int = 100
