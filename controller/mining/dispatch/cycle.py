"""One decision and everything that it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.mining.dispatch.decision import Decision
from controller.mining.dispatch.explain import Explanation
from controller.mining.dispatch.landing import Landing
from controller.mining.dispatch.problem import Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.dispatch.stage import Transition
from controller.mining.fleet.snapshot import SiteSnapshot


@dataclass(frozen=True, eq=False, kw_only=True)
class Cycle:
    """One decision with everything that it was made from.

    `held` says why nothing is changed for profit, else empty: nothing has a price in `problem` then, and no miner may
    climb above where it was, so that only limits lead to changes. `quote` is None where nobody told a price. `landings`
    are the curtailments that bind. `due` miners are to be ordered now and `issued` of them were; the rest of
    `transition` follows when this has been confirmed. `refusals` are the rules by which the power door took some orders
    not.
    """

    site: str
    decision_id: str
    at_ms: int
    trigger: str
    snapshot: SiteSnapshot
    quote: Quote | None
    problem: Problem
    decision: Decision
    explanation: Explanation
    transition: Transition
    landings: tuple[Landing, ...]
    infeasible: Mapping[str, int]
    solve_ms: float
    held: str = ""
    due: int = 0
    issued: int = 0
    command_ids: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    gap_too_wide: bool = False
