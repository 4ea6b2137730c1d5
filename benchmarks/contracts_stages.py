"""What each stage of an execution takes of a core, by the product's own functions with a clock around them."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final
from unittest.mock import patch

from benchmarks.contracts_load import HEIGHT
from controller.signing.execution import case
from controller.signing.execution.card import card_of
from controller.signing.execution.model import Execution
from controller.signing.ports import Contract

STAGES: Final = {
    "base": "read_base",
    "policy": "_decided",
    "people": "_proposed_and_approved",
    "partials": "gathered",
    "witness": "completed",
    "engine": "failed_input",
}
"""Name to the function of `execution.case`; what is left of the whole is `rest`."""


def stages_us(contract: Contract, load: Sequence[Execution], indexes: int) -> dict[str, float]:
    """Microseconds of CPU for one execution, the mean over `load` in this process, by stage."""
    card = card_of(contract, indexes)
    spent_ns = dict.fromkeys(STAGES, 0)

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            started_ns = time.thread_time_ns()
            try:
                return function(*given)
            finally:
                spent_ns[stage] += time.thread_time_ns() - started_ns

        return call

    whole_ns = time.thread_time_ns()
    with ExitStack() as clocks:
        for stage, name in STAGES.items():
            clocks.enter_context(patch.object(case, name, timed(stage, getattr(case, name))))
        for execution in load:
            case.executed(card, execution, HEIGHT)
    whole_ns = time.thread_time_ns() - whole_ns
    spent_ns["rest"] = whole_ns - sum(spent_ns.values())
    return {stage: round(ns / 1_000 / len(load), 1) for stage, ns in spent_ns.items()}
