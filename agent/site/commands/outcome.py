"""Steps of orders on their way to the controller: gathered for a moment, then stored in the spool in one go."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from agent.site.commands.ledger import Ledger
from agent.site.devices.reading import Evidence
from shared.clock import Clock
from shared.errors import StorageError
from shared.log import REDACTED, get_logger, redactor
from shared.states import TERMINAL, OutcomeState
from shared.wire.command import Command, OutcomeBatch, OutcomeRow

GATHER_S = 0.05
EVIDENCE_CHARS = 8_192
_RETRY_S = 1.0
_PASSWORD = re.compile(r'("\w*(?:pass|pwd|secret|token)\w*"\s*:\s*")(?:[^"\\]|\\.)*', re.IGNORECASE)

log = get_logger("agent.outcome")

Store = Callable[[OutcomeBatch, int], Awaitable[object]]


class Outcomes:
    """`store` puts a batch with its row count into the spool. A final state is written into the ledger only after its
    row is safe there: a crash in between repeats a report, never an order.
    """

    def __init__(self, store: Store, ledger: Ledger, clock: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._waiting: dict[str, tuple[int, list[OutcomeRow]]] = {}
        self._ended: list[tuple[str, int, str]] = []
        self._some = asyncio.Event()

    def step(
        self,
        command: Command,
        position: int,
        state: OutcomeState,
        *,
        rule: str = "",
        detail: str = "",
        observed: str = "",
        evidence: Sequence[Evidence] = (),
    ) -> None:
        """Report that an order has reached `state`."""
        order = command.orders[position]
        row = OutcomeRow(
            device_id=order.device_id,
            verb=order.action.verb,
            state=state,
            at_ms=self._clock.now_ms(),
            rule=rule,
            detail=redactor.text(detail),
            observed=observed,
            evidence=_as_text(evidence),
        )
        self._add(command.command_id, command.counter, row)
        if state in TERMINAL:
            self._ended.append((command.command_id, position, state))

    def refused(self, command_id: str, counter: int, rule: str, detail: str) -> None:
        """The command as a whole did not pass the door."""
        row = OutcomeRow("", "", OutcomeState.REFUSED, self._clock.now_ms(), rule=rule, detail=redactor.text(detail))
        self._add(command_id, counter, row)

    def _add(self, command_id: str, counter: int, row: OutcomeRow) -> None:
        self._waiting.setdefault(command_id, (counter, []))[1].append(row)
        self._some.set()

    async def run(self) -> None:
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(GATHER_S)
                await self._flush()
        finally:
            await self._flush()

    async def _flush(self) -> None:
        """Store what waits; a full disk keeps it waiting."""
        self._some.clear()
        waiting, self._waiting = self._waiting, {}
        ended, self._ended = self._ended, []
        try:
            while waiting:
                command_id, (counter, rows) = next(iter(waiting.items()))
                await self._store(OutcomeBatch(command_id=command_id, counter=counter, rows=tuple(rows)), len(rows))
                del waiting[command_id]
            await self._ledger.finish(ended)
        except StorageError as error:
            log.warning("outcome.not-stored", code=error.code, detail=error.detail)
            self._restore(waiting, ended)
            await asyncio.sleep(_RETRY_S)

    def _restore(self, waiting: dict[str, tuple[int, list[OutcomeRow]]], ended: list[tuple[str, int, str]]) -> None:
        for command_id, (counter, rows) in self._waiting.items():
            waiting.setdefault(command_id, (counter, []))[1].extend(rows)
        self._waiting = waiting
        self._ended = ended + self._ended
        self._some.set()


def _as_text(evidence: Sequence[Evidence]) -> str:
    """Raw replies for a person: secrets hidden, unprintable bytes escaped, cut to a bearable length."""
    parts = (f"> {item.asked}\n{item.raw.decode('utf-8', 'backslashreplace')}" for item in evidence)
    return _PASSWORD.sub(rf"\g<1>{REDACTED}", redactor.text("\n".join(parts)))[:EVIDENCE_CHARS]
