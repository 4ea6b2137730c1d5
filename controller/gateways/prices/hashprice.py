"""The hashprice as somebody set it: a number with the time at which it was true."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hashprice:
    """`usd_phs_day` includes fees and moves with difficulty; whoever shows it states its age."""

    usd_phs_day: float
    known_at_ms: int

    def age_s(self, now_ms: int) -> float:
        return max(0, now_ms - self.known_at_ms) / 1000
