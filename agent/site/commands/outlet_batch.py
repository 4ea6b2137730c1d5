"""Orders to outlets of one PDU that wait for its line together go out together: a rack is shed in one request."""

import asyncio

from agent.site.devices.ports import Acknowledgement, Pdu
from agent.site.devices.reading import OutletReading
from agent.site.roster import Known
from shared.actions import SwitchOutlet
from shared.errors import Unsupported

SWITCH_DEADLINE_S = 15.0


class OutletBatch:
    """Outlets that take the same position. `before` is what was read of each before the first request."""

    def __init__(self, pdu: Known[Pdu], on: bool) -> None:
        self.outlets: list[int] = []
        self.before: dict[int, OutletReading] = {}
        self.sent: asyncio.Task[Acknowledgement]
        self._pdu = pdu
        self._on = on

    async def send(self) -> Acknowledgement:
        """With the line held. Outlets that the PDU does not have are left out; `switched` tells each its own."""
        async with asyncio.timeout(SWITCH_DEADLINE_S):
            self.before = {outlet.outlet: outlet for outlet in (await self._pdu.driver.read()).outlets}
            real = [outlet for outlet in dict.fromkeys(self.outlets) if outlet in self.before]
            return await self._pdu.driver.switch_many(real, self._on)

    async def switched(self, outlet: int) -> Acknowledgement:
        """When the batch has gone out; `Unsupported` where there is no such outlet."""
        acknowledgement = await self.sent
        if outlet not in self.before:
            raise Unsupported(f"{self._pdu.device_id} has no outlet {outlet}")
        return acknowledgement


class OutletBatches:
    """The batches that wait for their PDU's line now."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, bool], OutletBatch] = {}

    def join(self, pdu: Known[Pdu], action: SwitchOutlet) -> OutletBatch:
        key = (pdu.device_id, action.on)
        batch = self._waiting.get(key)
        if batch is None:
            batch = self._waiting[key] = OutletBatch(pdu, action.on)
            batch.sent = asyncio.create_task(self._send(key, pdu, batch))
        batch.outlets.append(action.outlet)
        return batch

    async def _send(self, key: tuple[str, bool], pdu: Known[Pdu], batch: OutletBatch) -> Acknowledgement:
        try:
            async with pdu.line.for_order():
                del self._waiting[key]
                return await batch.send()
        finally:
            if self._waiting.get(key) is batch:
                del self._waiting[key]
