"""Phase imbalance: an order may not add to a leg that stands too far above its sisters, or would.

A machine is a third of a small leg: wherever it is added, it leaves balanced legs apart. So the step of the order
itself is allowed above the mean; a rule without that could never bring a site back from half its load.
"""

from collections.abc import Mapping

from agent.site.safety.load import FeederLoad, Tree
from agent.site.safety.refusal import PHASE_IMBALANCE
from agent.site.safety.reservation import Reservations
from agent.site.safety.verdict import Refusal

_LEGS = 3
_WORTH_BALANCING = 0.2  # below this share of the legs' capacity an imbalance heats nothing


def imbalance_refusal(
    tree: Tree,
    loads: Mapping[str, FeederLoad],
    reservations: Reservations,
    path: tuple[str, ...],
    added_w: float,
    limit_pct: float,
) -> Refusal | None:
    """Refuse where the leg of `path` draws, or would draw with `added_w`, more than `limit_pct` above the mean of the
    three legs. Promised watts count as drawn; those of this very cycle only in the mean, since the orders of one wave
    come in any sequence and balance each other.
    """
    leg = tree.feeders[path[0]]
    if leg.phase is None or leg.parent is None:
        return None
    legs = [child for child in tree.children[leg.parent] if tree.feeders[child].phase is not None]
    capacities_w = [loads[child].capacity_w for child in legs]
    if len(legs) != _LEGS or any(capacity_w is None for capacity_w in capacities_w):
        return None
    drawn_w = loads[leg.id].load_w + reservations.standing_w.get(leg.id, 0.0)
    mean_w = sum(loads[child].load_w + reservations.on_w.get(child, 0.0) for child in legs) / _LEGS
    after_mean_w = mean_w + added_w / _LEGS
    if after_mean_w < _WORTH_BALANCING * sum(capacity or 0 for capacity in capacities_w) / _LEGS:
        return None
    above_w, after_above_w = drawn_w - mean_w, drawn_w + added_w - after_mean_w
    limit = limit_pct / 100
    if above_w <= limit * mean_w and after_above_w <= max(limit * after_mean_w, added_w):
        return None
    detail = (
        f"{leg.id} is {above_w:.0f} W above the mean of its legs and would be {after_above_w:.0f} W,"
        f" limit {limit_pct:.0f} % of {after_mean_w:.0f} W"
    )
    return Refusal(PHASE_IMBALANCE, detail)
