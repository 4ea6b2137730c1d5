"""Fill PDUs with machines so that every leg keeps a margin with all of them in their normal mode."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardware_sims.model import MinerModel
from shared.units import single_phase_capacity_w

LEG_A = 125.0
NEUTRAL_V = 240.0
OUTLETS_PER_LEG = 8
LEG_FILL = 0.9
SHELLY_OUTLETS = 4
_LEGS = 3


@dataclass(frozen=True, slots=True)
class Plug:
    """A machine on an outlet (from 1) of a leg (from 0)."""

    model: MinerModel
    leg: int
    outlet: int


def fill_pdus(models: Sequence[MinerModel]) -> list[list[Plug]]:
    """One list of plugs a PDU of three legs; each machine goes to the leg with the least load that still holds it."""
    budget_w = LEG_FILL * single_phase_capacity_w(LEG_A, NEUTRAL_V)
    pdus: list[list[Plug]] = []
    load_w = [budget_w] * _LEGS
    used = [OUTLETS_PER_LEG] * _LEGS
    for model in models:
        normal_w = model.modes["normal"]
        fitting = [leg for leg in range(_LEGS) if used[leg] < OUTLETS_PER_LEG and load_w[leg] + normal_w <= budget_w]
        if not fitting:
            pdus.append([])
            load_w, used, fitting = [0.0] * _LEGS, [0] * _LEGS, list(range(_LEGS))
        leg = min(fitting, key=lambda at: load_w[at])
        load_w[leg] += normal_w
        used[leg] += 1
        pdus[-1].append(Plug(model, leg, leg * OUTLETS_PER_LEG + used[leg]))
    return pdus


def fill_shelves(models: Sequence[MinerModel]) -> list[list[Plug]]:
    """Small machines: four a switched shelf on one phase."""
    shelves = [models[at : at + SHELLY_OUTLETS] for at in range(0, len(models), SHELLY_OUTLETS)]
    return [
        [Plug(model, number % _LEGS, outlet) for outlet, model in enumerate(shelf, start=1)]
        for number, shelf in enumerate(shelves)
    ]
