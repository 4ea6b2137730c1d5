"""All forwards of a controller, folded from the journal."""

from collections.abc import Sequence

from controller.contracts.forward.event import PREFIX, AnyForwardEvent, ForwardOpened, codec
from controller.contracts.forward.model import Forward, ForwardPhase, evolve, opened
from controller.contracts.forward.refusal import ForwardRefusal
from controller.journal import RecordedEvent
from shared.errors import Corrupt, Denied


class ForwardBook:
    """A projection: `fold` is subscribed to the journal, and rebuilding it from the first event gives the same."""

    def __init__(self) -> None:
        self._forwards: dict[str, Forward] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        """Take what was written; Corrupt where it contradicts what was written before."""
        for event in events:
            if not event.stream.startswith(PREFIX):
                continue  # most of a journal is of others
            fact = codec.decode(event)
            if isinstance(fact, AnyForwardEvent):
                self._take(event, fact)

    def find(self, contract_id: str) -> Forward | None:
        return self._forwards.get(contract_id)

    def get(self, contract_id: str) -> Forward:
        """Denied `forward.unknown` where nothing was offered or accepted under this contract."""
        found = self._forwards.get(contract_id)
        if found is None:
            raise Denied(ForwardRefusal.UNKNOWN, f"no forward was begun under contract {contract_id[:12]}")
        return found

    def open(self) -> tuple[Forward, ...]:
        """Those that are not closed."""
        return tuple(one for one in self._forwards.values() if one.phase is not ForwardPhase.CLOSED)

    def _take(self, event: RecordedEvent, fact: AnyForwardEvent) -> None:
        if isinstance(fact, ForwardOpened):
            self._forwards.setdefault(fact.contract_id, opened(fact))
            return
        state = self._forwards.get(fact.contract_id)
        if state is None or event.version > state.version + 1:
            raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: events before it are missing")
        if event.version <= state.version:
            return  # folded before
        try:
            self._forwards[fact.contract_id] = evolve(state, fact)
        except Denied as denied:
            raise Corrupt(f"event {event.position} ({event.name}) of {event.stream!r}: {denied.detail}") from denied
