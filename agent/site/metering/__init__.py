"""Energy of whole intervals, committed to as they end: what an owner can prove bounds of without showing any of it.

`boundary.py` finds the register at each full interval, `service.py` signs what lies between two of them and tells it.
"""

from agent.site.metering.boundary import Boundary, Crossings
from agent.site.metering.service import Chain, Metering, Terms

__all__ = ["Boundary", "Chain", "Crossings", "Metering", "Terms"]
