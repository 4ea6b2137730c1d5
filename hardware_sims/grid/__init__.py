"""What the electrical tree of a site really draws: miners summed up per phase, losses, loads nobody reports, energy.

`Tree` carries power from the miners to the root; `Metering` is what meters of an accuracy class make of it.
"""

from hardware_sims.grid.metering import Metering, MeterSample
from hardware_sims.grid.tree import Tree

__all__ = ["MeterSample", "Metering", "Tree"]
