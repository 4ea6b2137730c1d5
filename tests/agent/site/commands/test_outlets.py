"""Outlets that are switched together, machines that only an outlet can stop, and what outcomes keep to themselves."""

import asyncio

import pytest

from agent.site.commands.outcome import _as_text
from agent.site.commands.outlet_batch import OutletBatches
from agent.site.devices.ports import Acknowledgement
from agent.site.devices.reading import Evidence, OutletReading, PduReading
from agent.site.roster import Known
from shared.actions import SwitchOutlet
from shared.errors import DeviceTimeout, Unsupported
from shared.wire.event import DeviceRecord


class FakePdu:
    """Eight outlets; `requests` are what was switched together."""

    def __init__(self) -> None:
        self.requests: list[tuple[tuple[int, ...], bool]] = []
        self.reads = 0
        self.fault: Exception | None = None

    async def read(self):
        self.reads += 1
        return PduReading(outlets=tuple(OutletReading(outlet=n, on=True, power_w=100.0 * n) for n in range(1, 9)))

    async def switch_many(self, outlets, on):
        if self.fault is not None:
            raise self.fault
        self.requests.append((tuple(outlets), on))
        return Acknowledgement("done")


@pytest.fixture
def pdu() -> Known:
    return Known(DeviceRecord("pdu-1", "pdu", "fake"), FakePdu())


async def switch(batches: OutletBatches, pdu: Known, outlet: int, on: bool = False):
    batch = batches.join(pdu, SwitchOutlet(outlet=outlet, on=on))
    acknowledgement = await batch.switched(outlet)
    return acknowledgement, batch.before[outlet]


async def test_orders_that_wait_together_are_one_request_and_each_knows_its_own_outlet(pdu):
    batches = OutletBatches()
    done = await asyncio.gather(*(switch(batches, pdu, n) for n in (1, 2, 3, 3)))
    assert pdu.driver.requests == [((1, 2, 3), False)]
    assert pdu.driver.reads == 1
    assert [before.power_w for _, before in done] == [100.0, 200.0, 300.0, 300.0]


async def test_on_and_off_are_never_mixed(pdu):
    batches = OutletBatches()
    await asyncio.gather(switch(batches, pdu, 1), switch(batches, pdu, 2, on=True), switch(batches, pdu, 3))
    assert sorted(pdu.driver.requests) == [((1, 3), False), ((2,), True)]


async def test_those_that_come_while_the_line_is_taken_wait_for_the_next_request(pdu):
    batches = OutletBatches()
    async with pdu.line.for_order():
        waiting = [asyncio.create_task(switch(batches, pdu, n)) for n in (4, 5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    await switch(batches, pdu, 6)
    assert pdu.driver.requests == [((4, 5), False), ((6,), False)]


async def test_an_outlet_that_is_not_there_spoils_nothing_for_the_others(pdu):
    batches = OutletBatches()
    good, bad = await asyncio.gather(switch(batches, pdu, 1), switch(batches, pdu, 99), return_exceptions=True)
    assert good[0].text == "done"
    assert isinstance(bad, Unsupported)


async def test_a_lost_answer_is_lost_for_all_of_them_and_the_next_request_starts_afresh(pdu):
    batches = OutletBatches()
    pdu.driver.fault = DeviceTimeout("no answer")
    ends = await asyncio.gather(*(switch(batches, pdu, n) for n in (1, 2)), return_exceptions=True)
    assert [type(end) for end in ends] == [DeviceTimeout, DeviceTimeout]
    pdu.driver.fault = None
    await switch(batches, pdu, 1)
    assert pdu.driver.requests == [((1,), False)]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"url":"a","user":"b","pass":"hidden-word"}',
        b'{"stratumPassword" : "hidden-word", "x": 1}',
        b'{"passwd1":"with \\" quote hidden-word","worker":"w"}',
        b'{"token":"hidden-word"}',
        b'{"pass":"hidden-wor',
    ],
)
def test_no_evidence_shows_a_password(raw):
    shown = _as_text([Evidence("GET /conf", raw)])
    assert "hidden-wor" not in shown
    assert "GET /conf" in shown
