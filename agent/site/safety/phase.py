"""Phase imbalance: an order may not push one leg too far above its sisters.

Imbalance is the largest deviation from the mean of the legs over their mean, in percent.
"""

from collections.abc import Mapping

from agent.site.safety.load import FeederLoad, Tree
from agent.site.safety.refusal import PHASE_IMBALANCE
from agent.site.safety.verdict import Refusal

_LEGS = 3
_WORTH_BALANCING = 0.2  # below this share of the legs' capacity an imbalance heats nothing


def imbalance_pct(legs_w: list[float]) -> float:
    mean_w = sum(legs_w) / len(legs_w)
    return 0.0 if mean_w <= 0 else max(abs(leg_w - mean_w) for leg_w in legs_w) / mean_w * 100


def imbalance_refusal(
    tree: Tree, loads: Mapping[str, FeederLoad], path: tuple[str, ...], added_w: float, limit_pct: float
) -> Refusal | None:
    """Refuse where the leg of `path` is already the fullest and would leave the limit further behind."""
    leg = tree.feeders[path[0]]
    if leg.phase is None or leg.parent is None:
        return None
    legs = [child for child in tree.children[leg.parent] if tree.feeders[child].phase is not None]
    capacities_w = [loads[child].capacity_w for child in legs]
    if len(legs) != _LEGS or any(capacity_w is None for capacity_w in capacities_w):
        return None
    after_w = [loads[child].load_w + (added_w if child == leg.id else 0.0) for child in legs]
    mean_w = sum(after_w) / _LEGS
    if mean_w < _WORTH_BALANCING * sum(capacity or 0 for capacity in capacities_w) / _LEGS:
        return None
    after_pct = imbalance_pct(after_w)
    if after_w[legs.index(leg.id)] <= mean_w or after_pct <= limit_pct:
        return None
    if after_pct <= imbalance_pct([loads[child].load_w for child in legs]):
        return None
    return Refusal(PHASE_IMBALANCE, f"{leg.id} would leave its legs {after_pct:.0f} % apart, limit {limit_pct:.0f} %")
