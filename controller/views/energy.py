"""The electrical side of a site as people read it: feeders against limits, meters against miners, prices."""

from typing import Annotated

import msgspec

from controller.views import unit
from controller.views.figure import Figure


class FeederView(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the electrical tree. `load_w` is metered where a meter hangs there, else the sum of what is below it.

    `worst_case_w` counts silent miners at their limit; `limit_w` is None where the site sets none.
    """

    id: str
    name: str
    kind: str
    parent: str | None
    load_w: Annotated[Figure, msgspec.Meta(description="W")]
    worst_case_w: unit.Watts | None
    limit_w: unit.Watts | None
    miners: int

    @property
    def load_pct(self) -> float | None:
        """Load against limit; None where either is unknown."""
        if self.load_w.value is None or not self.limit_w:
            return None
        return 100.0 * self.load_w.value / self.limit_w


class MeterView(msgspec.Struct, frozen=True, kw_only=True):
    """One meter, and what the miners behind it say they draw."""

    id: str
    name: str
    feeder: str
    power_w: Annotated[Figure, msgspec.Meta(description="W")]
    phase_power_w: tuple[unit.Watts | None, ...] = ()
    voltage_v: tuple[unit.Volts | None, ...] = ()
    current_a: tuple[unit.Amperes | None, ...] = ()
    power_factor: float | None = None
    frequency_hz: unit.Hertz | None = None
    energy_import_wh: unit.WattHours | None = None
    miners_w: unit.Watts | None = None

    @property
    def residual_w(self) -> float | None:
        """Metered less reported by miners: fans, losses and whatever nobody reports."""
        if self.power_w.value is None or self.miners_w is None:
            return None
        return self.power_w.value - self.miners_w


class PricePoint(msgspec.Struct, frozen=True):
    """`forecast` tells a published future price from a settled one."""

    start_ms: unit.Millis
    price_usd_mwh: unit.UsdPerMwh
    forecast: bool = False


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """`break_even_usd_mwh` is the energy price above which the fleet's average miner loses money."""

    price_usd_mwh: Annotated[Figure, msgspec.Meta(description="USD/MWh")]
    hashprice_usd_phs_day: Annotated[Figure, msgspec.Meta(description="USD/PH/s/day")]
    break_even_usd_mwh: unit.UsdPerMwh | None = None


class EnergyState(msgspec.Struct, frozen=True, kw_only=True):
    """Feeders stand parents before children. `cap_w` is what the site may draw now, None without a cap."""

    site: str
    at_ms: unit.Millis
    power_w: Annotated[Figure, msgspec.Meta(description="W, by the site's main meter")]
    market: Market
    feeders: tuple[FeederView, ...]
    meters: tuple[MeterView, ...]
    cap_w: unit.Watts | None = None
    cap_reason: str = ""
