"""Conversions between the units that vendors speak and the ones that we keep (W, Wh, TH/s, °C, J/TH)."""

import math

GHS_PER_THS = 1_000.0
MHS_PER_THS = 1_000_000.0
W_PER_KW = 1_000.0
WH_PER_KWH = 1_000.0
WH_PER_MWH = 1_000_000.0
HOURS_PER_DAY = 24.0
THS_PER_PHS = 1_000.0


def efficiency_j_per_th(power_w: float | None, hashrate_ths: float | None) -> float | None:
    """Joules per terahash; None while nothing hashes or one of both is unknown."""
    if power_w is None or hashrate_ths is None or hashrate_ths <= 0:
        return None
    return power_w / hashrate_ths


def three_phase_capacity_w(rating_a: float, line_to_line_v: float, continuous_factor: float = 0.8) -> int:
    """Watts that a three-phase feeder may carry for hours: factor · √3 · V · I, rounded down."""
    return math.floor(continuous_factor * math.sqrt(3) * line_to_line_v * rating_a)


def single_phase_capacity_w(rating_a: float, voltage_v: float, continuous_factor: float = 0.8) -> int:
    """Watts that a single-phase feeder may carry for hours: factor · V · I, rounded down."""
    return math.floor(continuous_factor * voltage_v * rating_a)


def hashprice_usd_per_ths_h(hashprice_usd_per_phs_day: float) -> float:
    """What one TH/s earns in an hour, from the price that the market quotes ($/PH/s/day)."""
    return hashprice_usd_per_phs_day / HOURS_PER_DAY / THS_PER_PHS


def energy_price_usd_per_wh(price_usd_mwh: float) -> float:
    return price_usd_mwh / WH_PER_MWH
