"""The durable outbox: what the node has accepted stays here until the controller's receipt says that it is stored.

`Spool.append` answers after the fsync. Rows leave only by `release`, or with a gap record that names range and reason.
Damage never stops a start: the file is set aside, a new epoch begins, readable rows follow under their old numbers.
"""

from agent.spool.machine import machine_id
from agent.spool.model import LaneState, SpoolLimits, SpoolStats
from agent.spool.service import Spool

__all__ = ["LaneState", "Spool", "SpoolLimits", "SpoolStats", "machine_id"]
