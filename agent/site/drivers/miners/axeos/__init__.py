"""BitAxe and its relatives with AxeOS: one JSON document says everything.

`decode` turns it into values, `driver` reads it and changes settings. Nothing in the interface stops hashing: such a
device is curtailed by its outlet.
"""

from agent.site.drivers.miners.axeos.driver import AxeOs

__all__ = ["AxeOs"]
