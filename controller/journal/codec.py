"""Domain facts to stored events and back."""

from collections.abc import Iterable

import msgspec

from controller.journal.model import NewEvent, RecordedEvent
from shared.errors import Corrupt


class EventCodec:
    """Knows the event types of one domain: frozen structs whose class name is the event's name, as JSON.

    Fields may be added with defaults and never change their meaning; a type is never renamed.
    """

    def __init__(self, kinds: Iterable[type[msgspec.Struct]]) -> None:
        self._decoders = {kind.__name__: msgspec.json.Decoder(kind) for kind in kinds}

    def encode(self, fact: msgspec.Struct, actor: str) -> NewEvent:
        name = type(fact).__name__
        if name not in self._decoders:
            raise TypeError(f"{name} is not an event of this domain")
        return NewEvent(name, msgspec.json.encode(fact), actor)

    def decode(self, event: RecordedEvent) -> msgspec.Struct | None:
        """The fact; None where another domain owns the event."""
        decoder = self._decoders.get(event.name)
        if decoder is None:
            return None
        try:
            fact: msgspec.Struct = decoder.decode(event.data)
        except msgspec.MsgspecError as error:
            raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: {error}") from error
        return fact
