"""What a cycle needs of the node around it."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from agent.site.autonomy.plan import PlanWindow
from agent.site.devices.image import ProcessImage
from agent.site.safety import Demand
from agent.site.safety.verdict import AlarmKey
from shared.wire.event import EventBatch, Inventory
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample, TelemetryBatch

KeepStanding = Callable[[Mapping[AlarmKey, str], Collection[AlarmKey]], Awaitable[None]]
"""Keep what was raised, with its text, and forget what has ended; may raise `StorageError`."""


async def _nowhere(_raised: Mapping[AlarmKey, str], _ended: Collection[AlarmKey]) -> None:
    """For a node that remembers nothing."""


def _nobody(_image: ProcessImage) -> None:
    """For a site whose energy nobody claims anything about."""


class Surroundings(msgspec.Struct, frozen=True):
    """`store` is done when the record is durable and returns its number; it and `host` raise `StorageError` or OSError.
    `urgent` tells past the disk and says whether a live line took it; `trusted_ms` is the time of signed documents. A
    device whose last reading is older than `silent_after_s` is silent. `metered` looks at the meters of each image.
    """

    store: Callable[[RecordKind, msgspec.Struct, int], Awaitable[int]]
    urgent: Callable[[EventBatch], bool]
    obey: Callable[[list[Demand]], Awaitable[None]]
    plan: Callable[[], PlanWindow | None]
    silent_s: Callable[[], float]
    trusted_ms: Callable[[], int]
    host: Callable[[ProcessImage, float], Awaitable[HostSample]]
    inventory: Callable[[], Inventory | None]
    inventory_told: Callable[[Inventory], None]
    latest: Callable[[TelemetryBatch], None]
    alive: Callable[[str], None]
    boot_id: str
    keep_standing: KeepStanding = _nowhere
    silent_after_s: float = 20.0
    metered: Callable[[ProcessImage], None] = _nobody
