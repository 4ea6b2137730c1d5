"""Which orders may add load, and up to what a machine may draw once they have taken effect."""

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.load import FRESH_S, measured_w
from shared.actions import Action, SetPowerLimit, SetPowerMode, SwitchOutlet, Wake


def adds_load(action: Action) -> bool:
    """By its kind. Whatever else is ordered, a machine draws no more for it."""
    if isinstance(action, SetPowerMode):
        return action.mode != "low"
    return isinstance(action, Wake | SetPowerLimit) or (isinstance(action, SwitchOutlet) and action.on)


def target_w(miner: MinerState, action: Action, image: ProcessImage) -> float | None:
    """Watts that an order which may add load leads to; None where the machine was measured to draw more now."""
    rating, drawn_w = miner.rating, measured_w(miner, image)
    if isinstance(action, SetPowerLimit):
        limit_w = float(min(action.limit_w, rating.mode_w(None)))
        return None if drawn_w is not None and limit_w <= drawn_w else limit_w
    if isinstance(action, SetPowerMode):
        mode_w = float(rating.mode_w(action.mode))
        return None if action.mode == "normal" and drawn_w is not None and mode_w <= drawn_w else mode_w
    woken = isinstance(action, Wake) and miner.reading is not None
    fresh = miner.observed_s is not None and image.sampled_s - miner.observed_s <= FRESH_S
    return float(rating.mode_w(miner.reading.power_mode if woken and fresh and miner.reading is not None else None))
