"""Telemetry in, receipts out: decode, store exactly once, acknowledge, then tell those who live on it.

`Ingest` runs one worker: messages become one transaction of the store; after its commit come the broker's
acknowledgements, one signed receipt a node, the sinks, and the inbox from which consumers take events and results.
"""

from controller.ingest.coverage import Coverage
from controller.ingest.model import (
    GapEntry,
    Group,
    GroupResult,
    HelloArrival,
    InboxItem,
    RecordArrival,
    Refused,
    Rejection,
)
from controller.ingest.ports import Audience, InboxRoute, NodeWatcher, ReceiptChannel, TelemetrySink, TelemetryStore
from controller.ingest.service import Ingest, IngestSettings

__all__ = [
    "Audience",
    "Coverage",
    "GapEntry",
    "Group",
    "GroupResult",
    "HelloArrival",
    "InboxItem",
    "InboxRoute",
    "Ingest",
    "IngestSettings",
    "NodeWatcher",
    "ReceiptChannel",
    "RecordArrival",
    "Refused",
    "Rejection",
    "TelemetrySink",
    "TelemetryStore",
]
