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
