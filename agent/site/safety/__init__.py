"""Interlocks and electrical limits: what the site refuses and does by itself, whatever it is told. Pure.

`Interlocks.observe` looks at an image and says what must be shed now; `Interlocks.admit` lets one order pass or refuses
it by rule. Each rule is a module; their ids and sentences stand in docs/refusals.md.
"""

from agent.site.safety.interlocks import Interlocks
from agent.site.safety.order import adds_load
from agent.site.safety.verdict import Demand, Refusal

__all__ = ["Demand", "Interlocks", "Refusal", "adds_load"]
