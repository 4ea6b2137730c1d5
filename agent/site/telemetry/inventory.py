"""Tells the controller what the site is and which devices it knows: changes at once, everything now and then.

The whole is told again every `RENEW_S`, so that a controller that lost its memory learns the site by itself.
"""

from collections.abc import Callable, Iterable

from shared.clock import Clock
from shared.site import Site
from shared.wire.event import DeviceRecord, Inventory

RENEW_S = 600.0


class Inventories:
    """`everything` is asked for the whole at a renewal."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self._site = site
        self._clock = clock
        self._changed: dict[str, DeviceRecord] = {}
        self._renew_at_s = clock.monotonic_s()

    def changed(self, record: DeviceRecord) -> None:
        self._changed[record.device_id] = record

    def due(self, everything: Callable[[], Iterable[DeviceRecord]]) -> Inventory | None:
        """The next message; None while there is nothing to tell. `told` takes it off the list."""
        if self._clock.monotonic_s() >= self._renew_at_s:
            return Inventory(at_ms=self._clock.now_ms(), site=self._site, devices=tuple(everything()))
        if self._changed:
            return Inventory(at_ms=self._clock.now_ms(), devices=tuple(self._changed.values()))
        return None

    def told(self, message: Inventory) -> None:
        if message.site is not None:
            self._renew_at_s = self._clock.monotonic_s() + RENEW_S
        for record in message.devices:
            if self._changed.get(record.device_id) == record:
                del self._changed[record.device_id]
