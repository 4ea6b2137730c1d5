"""What energy costs and hashing earns, labelled with where it comes from."""

import numpy as np

from controller.operations.ports import PriceFeed
from controller.views.energy import Market
from controller.views.figure import Figure, missing
from controller.views.frame import FleetFrame
from shared.errors import GatewayError
from shared.quality import Quality
from shared.units import WH_PER_MWH, hashprice_usd_per_ths_h

INVENTED = "invented for demonstration, holds for nobody"


def market_of(prices: PriceFeed, frame: FleetFrame) -> Market:
    """Without a feed both prices are missing with its reason; a price that has run out is stale."""
    try:
        quote = prices.current(frame.at_ms)
    except GatewayError as error:
        unknown = missing(error.detail, source="price feed")
        return Market(price_usd_mwh=unknown, hashprice_usd_phs_day=unknown)
    quality = Quality.ESTIMATED if quote.synthetic else Quality.GOOD
    current = quote.current(frame.at_ms)
    note = INVENTED if quote.synthetic else ""
    return Market(
        price_usd_mwh=Figure(
            value=quote.energy_usd_mwh,
            source=f"{quote.source} (synthetic)" if quote.synthetic else quote.source,
            observed_at_ms=quote.energy_from_ms,
            quality=quality if current else Quality.STALE,
            note=note if current else "the price series has run out",
        ),
        hashprice_usd_phs_day=Figure(
            value=quote.hashprice_usd_phs_day, source="hash price as set", observed_at_ms=quote.hashprice_at_ms
        ),
        break_even_usd_mwh=break_even_usd_mwh(frame, quote.hashprice_usd_phs_day),
    )


def break_even_usd_mwh(frame: FleetFrame, hashprice_usd_phs_day: float) -> float | None:
    """The energy price at which the average hashing miner earns nothing; None while nobody reports hash and watts."""
    with np.errstate(invalid="ignore"):
        counts = frame.known & (frame.hashrate_ths > 0) & (frame.power_w > 0)
    power_w = float(frame.power_w[counts].sum())
    if not power_w:
        return None
    earned_usd_h = float(frame.hashrate_ths[counts].sum()) * hashprice_usd_per_ths_h(hashprice_usd_phs_day)
    return earned_usd_h / power_w * WH_PER_MWH
