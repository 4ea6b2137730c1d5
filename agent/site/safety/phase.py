"""Phase imbalance: an order may not add to a leg that already stands too far above its sisters.

What counts is how the legs stand before the order. A machine is a third of a small leg, so that any one of them would
leave balanced legs apart: a rule on what comes after could never bring a site back from half its load.
"""

from collections.abc import Mapping

from agent.site.safety.load import FeederLoad, Tree
from agent.site.safety.refusal import PHASE_IMBALANCE
from agent.site.safety.verdict import Refusal

_LEGS = 3
_WORTH_BALANCING = 0.2  # below this share of the legs' capacity an imbalance heats nothing


def imbalance_refusal(
    tree: Tree,
    loads: Mapping[str, FeederLoad],
    reserved_w: Mapping[str, float],
    path: tuple[str, ...],
    added_w: float,
    limit_pct: float,
) -> Refusal | None:
    """Refuse where the leg of `path` draws more than `limit_pct` above the mean of what all three draw or soon will."""
    leg = tree.feeders[path[0]]
    if leg.phase is None or leg.parent is None:
        return None
    legs = [child for child in tree.children[leg.parent] if tree.feeders[child].phase is not None]
    capacities_w = [loads[child].capacity_w for child in legs]
    if len(legs) != _LEGS or any(capacity_w is None for capacity_w in capacities_w):
        return None
    mean_w = sum(loads[child].load_w + reserved_w.get(child, 0.0) for child in legs) / _LEGS
    if mean_w + added_w / _LEGS < _WORTH_BALANCING * sum(capacity or 0 for capacity in capacities_w) / _LEGS:
        return None
    above_pct = (loads[leg.id].load_w / mean_w - 1) * 100 if mean_w > 0 else 0.0
    if above_pct <= limit_pct:
        return None
    detail = f"{leg.id} is {above_pct:.0f} % above the mean of its legs, limit {limit_pct:.0f} %"
    return Refusal(PHASE_IMBALANCE, detail)
