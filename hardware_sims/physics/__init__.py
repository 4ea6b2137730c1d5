"""The miners of a site as numpy columns that move through time together, and a thin view of each one.

`Fleet` steps `Columns`; `phase` holds the state machine, `ladder` turns watts into hash rate, `thermal` moves boards
and fans, `history` answers for hash windows; `SimulatedMachine` fills the port that the protocol servers read.
"""

from hardware_sims.physics.fleet import Fleet
from hardware_sims.physics.machine import SimulatedMachine

__all__ = ["Fleet", "SimulatedMachine"]
