"""What the forwarder needs of the line."""

from typing import Protocol


class Line(Protocol):
    @property
    def connected(self) -> bool: ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Handed to a live connection?"""
        ...
