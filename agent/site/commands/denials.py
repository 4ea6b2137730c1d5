"""What is said of messages that did not pass: the first few of a minute one by one, the rest as a number.

Whoever holds the broker can send garbage as fast as the line allows, and each report is a durable row here and an
event at the controller.
"""

import asyncio
from collections import Counter

from agent.site.commands.outcome import Outcomes
from agent.site.commands.refusal import FLOOD
from shared.errors import Denied
from shared.log import get_logger

FEW = 20
WINDOW_S = 60.0

log = get_logger("agent.commands")


class Denials:
    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._told = 0
        self._rest: Counter[str] = Counter()
        self._window: asyncio.TimerHandle | None = None

    def report(self, denied: Denied, command_id: str = "", counter: int = 0) -> None:
        """Tell the controller, now or in the sum of this minute. A message that nobody signed has no id to trust."""
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(WINDOW_S, self._next)
        if self._told >= FEW:
            self._rest[denied.rule] += 1
            return
        self._told += 1
        log.warning("command.denied", command=command_id, rule=denied.rule, detail=denied.detail)
        self._outcomes.refused(command_id, counter, denied.rule, denied.detail)

    def close(self) -> None:
        """Say what is not said yet."""
        if self._window is not None:
            self._window.cancel()
            self._next()

    def _next(self) -> None:
        rest, self._rest = self._rest, Counter()
        self._told, self._window = 0, None
        if rest:
            kinds = ", ".join(f"{rule} {count}" for rule, count in rest.most_common())
            detail = f"{rest.total()} more messages were refused within {WINDOW_S:.0f} s: {kinds}"
            log.warning("command.flood", detail=detail)
            self._outcomes.refused("", 0, FLOOD, detail)
