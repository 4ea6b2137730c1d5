"""An invented day of prices with a shape that operators know: cheap night, dear evening, one spike. Always labelled."""

import math

from controller.gateways.prices.series import PriceSeries

QUARTER_HOUR_MS = 900_000
_QUARTERS = 96
_BASE_USD_MWH = 32.0
_SWING_USD_MWH = 14.0
_SPIKE_QUARTERS = range(70, 74)  # 17:30 to 18:30
SPIKE_USD_MWH = 1_200.0


def synthetic_day(start_ms: int) -> PriceSeries:
    """Ninety-six quarter-hours from `start_ms`; the same for every call."""
    prices = tuple(
        SPIKE_USD_MWH
        if quarter in _SPIKE_QUARTERS
        else round(_BASE_USD_MWH - _SWING_USD_MWH * math.cos(2 * math.pi * (quarter - 16) / _QUARTERS), 2)
        for quarter in range(_QUARTERS)
    )
    starts = tuple(start_ms + quarter * QUARTER_HOUR_MS for quarter in range(_QUARTERS))
    return PriceSeries("synthetic day", starts, prices, QUARTER_HOUR_MS, synthetic=True)
