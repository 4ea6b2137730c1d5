"""The five answers of a site: hash rate, power, efficiency, margin, how many report. One snapshot, one arithmetic."""

from typing import Annotated

import msgspec
import numpy as np

from controller.views import unit
from controller.views.condition import Condition
from controller.views.energy import EnergyState
from controller.views.figure import Figure, missing
from controller.views.frame import FleetFrame
from shared.quality import Quality
from shared.units import efficiency_j_per_th, energy_price_usd_per_wh, hashprice_usd_per_ths_h


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`conditions` counts every miner exactly once, by the words that queries use."""

    site: str
    snapshot: str
    at_ms: unit.Millis
    hashrate_ths: Annotated[Figure, msgspec.Meta(description="TH/s, summed over miners that report")]
    power_w: Annotated[Figure, msgspec.Meta(description="W, by the site's main meter")]
    miners_power_w: Annotated[Figure, msgspec.Meta(description="W, summed over miners that report")]
    efficiency_j_per_th: Annotated[Figure, msgspec.Meta(description="J/TH, metered watts over reported hashes")]
    price_usd_mwh: Annotated[Figure, msgspec.Meta(description="USD/MWh")]
    profit_usd_h: Annotated[Figure, msgspec.Meta(description="USD/h")]
    miners: int
    reporting: int
    conditions: dict[str, int]
    maintenance: int
    cap_w: unit.Watts | None = None
    cap_reason: str = ""
    break_even_usd_mwh: unit.UsdPerMwh | None = None


def summarise(frame: FleetFrame, energy: EnergyState) -> Summary:
    """Raises nothing: what cannot be computed is a missing figure with its reason."""
    reporting = int(frame.known.sum())
    hashrate, miners_power = _hashrate(frame, reporting), _miners_power(frame, reporting)
    power = energy.power_w
    return Summary(
        site=frame.layout.site,
        snapshot=frame.snapshot,
        at_ms=frame.at_ms,
        hashrate_ths=hashrate,
        power_w=power,
        miners_power_w=miners_power,
        efficiency_j_per_th=_efficiency(power, hashrate),
        price_usd_mwh=energy.market.price_usd_mwh,
        profit_usd_h=_profit(power if power.usable else miners_power, hashrate, energy),
        miners=len(frame),
        reporting=reporting,
        conditions={condition.word: count for condition, count in frame.condition_counts.items()},
        maintenance=int(frame.maintenance.sum()),
        cap_w=energy.cap_w,
        cap_reason=energy.cap_reason,
        break_even_usd_mwh=energy.market.break_even_usd_mwh,
    )


def _oldest_ms(frame: FleetFrame) -> int:
    return int(frame.observed_at_ms[frame.known].min())


def _left_out(frame: FleetFrame) -> str:
    silent = frame.condition_counts[Condition.SILENT]
    return f"{silent:,} silent miners count as 0" if silent else ""


def _hashrate(frame: FleetFrame, reporting: int) -> Figure:
    if not reporting:
        return missing("no miner reports", source="miners")
    expected = float(np.nansum(frame.hashrate_expected_ths[frame.known & (frame.condition != Condition.ASLEEP)]))
    return Figure(
        value=frame.live_hashrate_ths,
        source=f"sum of {reporting:,} miners",
        observed_at_ms=_oldest_ms(frame),
        quality=Quality.DERIVED,
        note=_left_out(frame),
        low=expected * 0.97,
        high=expected * 1.03,
    )


def _miners_power(frame: FleetFrame, reporting: int) -> Figure:
    if not reporting:
        return missing("no miner reports", source="miners")
    return Figure(
        value=frame.live_power_w,
        source=f"sum of {reporting:,} miners",
        observed_at_ms=_oldest_ms(frame),
        quality=Quality.ESTIMATED,
        note=_left_out(frame),
    )


def _efficiency(power: Figure, hashrate: Figure) -> Figure:
    value = efficiency_j_per_th(power.value, hashrate.value) if power.usable and hashrate.usable else None
    if value is None:
        return missing("needs a metered power and a hash rate", source="calculated")
    ages = [at for at in (power.observed_at_ms, hashrate.observed_at_ms) if at is not None]
    return Figure(
        value=value,
        source="meter over hash rate",
        observed_at_ms=min(ages, default=None),
        quality=Quality.DERIVED,
        note=hashrate.note,
    )


def _profit(power: Figure, hashrate: Figure, energy: EnergyState) -> Figure:
    price, hashprice = energy.market.price_usd_mwh, energy.market.hashprice_usd_phs_day
    if price.value is None or hashprice.value is None:
        return missing("no price: " + (price.reason or hashprice.reason), source="calculated")
    if power.value is None or hashrate.value is None:
        return missing("needs power and hash rate", source="calculated")
    earned_usd_h = hashrate.value * hashprice_usd_per_ths_h(hashprice.value)
    ages = [figure.observed_at_ms for figure in (power, hashrate, price, hashprice)]
    return Figure(
        value=earned_usd_h - power.value * energy_price_usd_per_wh(price.value),
        source=f"hash price {hashprice.value:.2f} USD/PH/s/day less energy",
        observed_at_ms=min((at for at in ages if at is not None), default=None),
        quality=Quality.ESTIMATED,
    )
