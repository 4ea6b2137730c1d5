"""The fleet twin: what every device last said, in arrays, with ages and qualities, and what that adds up to.

A `roster` says who the miners are and a `tree` what feeds them; `twin` takes telemetry in, and a `snapshot` is the
moment that everything else looks at.
"""

from controller.mining.fleet.snapshot import FleetLimits, SiteSnapshot, SiteTotals
from controller.mining.fleet.tree import FeederTree
from controller.mining.fleet.twin import FleetTwin

__all__ = ["FeederTree", "FleetLimits", "FleetTwin", "SiteSnapshot", "SiteTotals"]
