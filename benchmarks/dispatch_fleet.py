"""Dispatch problems of realistic shape: six models, six levels of feeders, unit spread, fixed by a seed.

Curves are tables of public sources with a spread of 1 to 2 % a unit, so gains measured on them are no promise for a
real fleet; gaps and ratios of times are what they are for.
"""

from typing import Any, Final

import numpy as np

from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.fleet.array import Floats, Ints
from controller.mining.fleet.tree import NO_LIMIT_W, FeederTree
from shared.site import Feeder
from shared.units import energy_price_usd_per_wh, hashprice_usd_per_ths_h

SLEEP_W: Final = 25
HASHPRICE_USD_PHS_DAY: Final = 45.0
MODELS: Final = (
    ((1740, 65.0), (1850, 76.0), (2150, 83.0), (2500, 92.0), (2970, 100.0)),  # S19j Pro, VNish presets
    ((1905, 74.5), (2850, 96.0), (3100, 105.0)),  # S19j Pro, tuned by target
    ((2140, 112.0), (2700, 126.0), (3010, 140.0)),  # S19 XP by nameplate, shape of a neighbour
    ((2050, 80.0), (2600, 100.0), (2760, 106.0)),  # S19k Pro, VNish
    ((2540, 152.0), (3000, 176.0), (3500, 200.0)),  # S21 by nameplate, shape of a neighbour
    ((1700, 80.0), (2200, 100.0), (2700, 120.0), (3350, 142.0)),  # S19 XP, ePIC presets
)
SCENARIOS: Final = {"tight": (40.0, 0.75), "mild": (40.0, None), "dear": (78.0, None)}
_MINERS_PER_BREAKER: Final = 6
_FAN_OUT: Final[tuple[tuple[str, int, dict[str, Any]], ...]] = (
    ("breaker", 4, {"rating_a": 32.0, "voltage_v": 415.0}),
    ("pdu", 8, {"rating_a": 125.0, "voltage_v": 415.0}),
    ("container", 4, {"limit_w": 560_000}),
    ("transformer", 8, {"limit_w": 2_200_000}),
)


def fleet_problem(miners: int, scenario: str, seed: int = 7) -> Problem:
    """A problem of `miners` miners. `scenario` is tight (sites at 75 % of nameplate), mild or dear (78 USD/MWh)."""
    energy_usd_mwh, site_share = SCENARIOS[scenario]
    breakers = -(-miners // _MINERS_PER_BREAKER)
    tree = FeederTree.of(_feeders(breakers))
    leaf = np.array([tree.index[f"breaker-{number}"] for number in range(breakers)], np.int64)
    feeder = np.sort(leaf[np.arange(miners) // _MINERS_PER_BREAKER])
    power_w, hashrate_ths, modes = _machines(miners, np.random.default_rng(seed))
    cap_w = tree.cap_w.copy()
    if site_share is not None:
        own = np.bincount(feeder, weights=power_w[-1], minlength=len(tree)).astype(np.int64)
        nameplate_w = tree.below(own)
        sites = np.array([kind == "site" for kind in tree.kinds])
        cap_w[sites] = (nameplate_w[sites] * site_share).astype(np.int64)
    return Problem(
        tree=tree,
        row=np.arange(miners),
        feeder=feeder,
        power_w=power_w,
        hashrate_ths=hashrate_ths,
        high=modes - 1,
        current=np.zeros(miners, np.int64),
        free=np.ones(miners, np.bool_),
        lock=np.full(miners, Lock.NONE, np.int8),
        locked_w=np.zeros(miners, np.int64),
        cap_w=cap_w,
        reserved_w=np.zeros(len(tree), np.int64),
        energy_usd_wh=energy_price_usd_per_wh(energy_usd_mwh),
        hashprice_usd_ths_h=hashprice_usd_per_ths_h(HASHPRICE_USD_PHS_DAY),
    )


def _feeders(breakers: int) -> list[Feeder]:
    """Fleet, sites, transformers, containers, PDUs, breakers."""
    feeders: list[Feeder] = []
    count = breakers
    for position, (kind, fan_in, rating) in enumerate(_FAN_OUT):
        above = _FAN_OUT[position + 1][0] if position + 1 < len(_FAN_OUT) else "site"
        feeders += [
            Feeder(id=f"{kind}-{n}", kind=kind, parent=f"{above}-{n // fan_in}", **rating) for n in range(count)
        ]
        count = -(-count // fan_in)
    feeders += [Feeder(id=f"site-{n}", kind="site", parent="fleet") for n in range(count)]
    return [*feeders, Feeder(id="fleet", kind="fleet", limit_w=NO_LIMIT_W)]


def _machines(miners: int, random: np.random.Generator) -> tuple[Ints, Floats, Ints]:
    width = 1 + max(len(model) for model in MODELS)
    table = np.array([((SLEEP_W, 0.0), *model, *(model[-1:] * (width - 1 - len(model)))) for model in MODELS])
    kind = random.integers(len(MODELS), size=miners)
    power = table[kind, :, 0].T * random.normal(1.0, 0.02, miners).clip(0.9, 1.1)
    power[0] = SLEEP_W
    hashrate = table[kind, :, 1].T * random.normal(1.0, 0.012, miners).clip(0.9, 1.1)
    modes = np.array([1 + len(model) for model in MODELS])[kind]
    return np.ascontiguousarray(power.round().astype(np.int64)), np.ascontiguousarray(hashrate), modes
