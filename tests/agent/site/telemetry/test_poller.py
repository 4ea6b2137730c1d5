"""A driver's bug costs its device the round, and somebody is told."""

import asyncio

from agent.site.roster import Known, Roster
from agent.site.telemetry.live import Live
from agent.site.telemetry.poller import Poller
from agent.site.telemetry.schedule import Periods
from shared.clock import SystemClock, instant
from shared.states import Reach
from shared.wire.event import DeviceRecord
from tests.agent.site.scene import good_reading


class Moody:
    """Answers once, then its decoder meets what nobody thought of."""

    def __init__(self) -> None:
        self.reads = 0

    async def read_hot(self):
        self.reads += 1
        if self.reads > 1:
            raise KeyError("Msg")
        return good_reading()

    read_full = read_hot


async def test_a_device_whose_driver_has_a_bug_is_not_up():
    clock, live, roster = SystemClock(), Live(), Roster(lambda record: None)
    driver = Moody()
    roster.put_miner(Known(DeviceRecord("m-1", "miner", "fake"), driver))
    poller = Poller(roster, live, clock, Periods(hot_s=0.01, warm_s=0.01))
    poller.add("m-1")
    running = asyncio.create_task(poller.run())
    async with asyncio.timeout(8):
        while live.freeze(1, instant(clock)).miners.get("m-1") is None or driver.reads < 2 or poller.failures < 1:
            await asyncio.sleep(0.01)
    running.cancel()
    state = live.freeze(2, instant(clock)).miners["m-1"]
    assert state.reach is Reach.MALFORMED
    assert state.reading is not None, "the last good reading stays, with its age"
