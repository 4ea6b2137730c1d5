"""Which sites, nodes and devices there are, how power reaches them, and which of their alarms stand.

Nodes tell who they are (hello), what they know (inventory) and what happened (events); each durable record is handled
once. The electrical tree is checked when it comes in, alarms live from raised over acknowledged to cleared and are
grouped by cause before anybody sees them.
"""

from controller.fleet.alarm import Alarm, AlarmPhase
from controller.fleet.alarm_desk import AlarmDesk
from controller.fleet.cause import AlarmGroup, grouped
from controller.fleet.model import Device, Node, Notice, RecordIdentity
from controller.fleet.ports import EventStore
from controller.fleet.service import FleetService
from controller.fleet.tree import ElectricalTree

__all__ = [
    "Alarm",
    "AlarmDesk",
    "AlarmGroup",
    "AlarmPhase",
    "Device",
    "ElectricalTree",
    "EventStore",
    "FleetService",
    "Node",
    "Notice",
    "RecordIdentity",
    "grouped",
]
