"""The node's line to the controller: drains the spool upwards, hands orders and plans downwards.

Rows leave the spool only on a signed receipt. Bytes that come down are handed over as they came; whoever understands
them verifies them.
"""

from agent.uplink.model import Node, UplinkSettings
from agent.uplink.service import Uplink

__all__ = ["Node", "Uplink", "UplinkSettings"]
