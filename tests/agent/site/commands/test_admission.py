"""What stands between an order and its device, and an order that always ends."""

import pytest

from agent.site.commands import confirmation
from agent.site.devices.ports import Acknowledgement, Effect, ReadBack
from agent.site.devices.reading import OutletReading, PduReading
from agent.site.roster import Known
from agent.site.safety import Demand
from shared.actions import Sleep, SwitchOutlet
from shared.errors import Unreachable
from shared.wire.command import Order
from shared.wire.event import DeviceRecord
from tests.agent.site.commands.house import FIRST, FakeMiner, House

ON, OFF = SwitchOutlet(outlet=1, on=True), SwitchOutlet(outlet=1, on=False)


class FakePdu:
    verbs = frozenset({"switch_outlet"})
    on = True

    def holds_s(self, *, on: bool) -> float:
        return 60.0 if on else 30.0

    async def read(self):
        return PduReading(outlets=(OutletReading(outlet=1, on=self.on, power_w=100.0),))

    async def switch_many(self, outlets, on):
        self.on = on
        return Acknowledgement("OK")

    async def read_back(self, action, before):
        return ReadBack(Effect.SHOWN, "seen")

    async def aclose(self):
        return None


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path)
    house.pdu = FakePdu()
    house.roster.put_pdu(Known(DeviceRecord("pdu-1", "pdu", "fake"), house.pdu))
    yield house
    await house.aclose()


async def test_a_state_that_nobody_knows_is_a_refusal_and_not_the_end_of_the_agent(house):
    await house.send(house.command(Order(FIRST, Sleep(), expected_state=99)))
    rows = await house.until("refused")
    assert rows == [("refused", "command.state-changed")]


async def test_a_bug_in_the_admission_ends_the_order(house, monkeypatch):
    def bug(device_id, action):
        raise KeyError(device_id)

    monkeypatch.setattr(house.interlocks, "admit", bug)
    await house.send(house.command(Order(FIRST, Sleep())))
    assert await house.until("unknown") == [("unknown", "bes.error")]


async def test_an_outlet_that_was_just_switched_stays_so_unless_the_site_itself_needs_it(house):
    await house.send(house.command(Order("pdu-1", OFF)))
    await house.until("accepted", "acknowledged", "confirmed")
    await house.send(house.command(Order("pdu-1", ON)))
    assert (await house.until("refused"))[-1] == ("refused", "policy.outlet-rest")
    assert house.pdu.on is False
    await house.send(house.command(Order("pdu-1", OFF)))  # it is off: nothing wears
    await house.until("accepted", "acknowledged", "confirmed")
    house.service._execution._rests._switched["pdu-1", 1] = (True, house.clock.monotonic_s())
    await house.send(house.command(Order("pdu-1", OFF)))
    assert (await house.until("refused"))[-1] == ("refused", "policy.outlet-rest")
    await house.service.submit_local([Demand("interlock.feeder-overload", "pdu-1", OFF, "too much")])
    await house.until("accepted", "acknowledged", "confirmed")


async def test_a_miner_that_moved_is_read_back_where_it_is_now(house, monkeypatch):
    """Its lease changed while it went to sleep; the old address answers nobody any more."""
    monkeypatch.setattr(confirmation, "_PAUSES_S", (0.01,))
    old, moved = house.roster.miners[FIRST], FakeMiner()

    async def gone(action, before):
        if house.roster.miners[FIRST] is old:
            house.roster.put_miner(Known(old.record, moved, placement=old.placement))
        raise Unreachable("nobody there")

    house.drivers[FIRST].read_back = gone
    await house.send(house.command(Order(FIRST, Sleep())))
    await house.until("accepted", "acknowledged", "confirmed")
    assert moved._looks
