"""What energy costs and hashing earns."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What energy costs and hashing earns now.

    The energy price holds from `energy_from_ms` until before `energy_until_ms`; `hashprice_at_ms` is when the
    hashprice was known. `synthetic` marks an invented price, which may drive a demonstration and nothing else.
    """

    energy_usd_mwh: float
    energy_from_ms: int
    energy_until_ms: int
    hashprice_usd_phs_day: float
    hashprice_at_ms: int
    source: str
    synthetic: bool = False

    def current(self, now_ms: int) -> bool:
        return self.energy_from_ms <= now_ms < self.energy_until_ms
