"""The header clock: height and median time past of a chain that the box verified itself, from a checkpoint on."""

from agent.signer.clock.model import ChainTime, Checkpoint, Taken
from agent.signer.clock.service import ClockSettings, HeaderClock

__all__ = ["ChainTime", "Checkpoint", "ClockSettings", "HeaderClock", "Taken"]
