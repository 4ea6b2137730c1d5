"""A machine that says what its outlet denies, and outlets that stand still themselves."""

from agent.site.devices.reading import OutletReading, PduReading, qualities, quality_of
from agent.site.roster import Known
from agent.site.telemetry.flatline import SAMPLES
from agent.site.telemetry.live import Live
from shared.clock import Instant
from shared.quality import Quality
from shared.site import Placement
from shared.states import OpState
from shared.wire.event import DeviceRecord
from shared.wire.telemetry import OUTLET_FIELDS
from tests.agent.site.scene import good_reading

REST, WORK = 26.0, 2_900.0
ASLEEP, HASHING = good_reading(OpState.SLEEPING, hashrate_ths=0.0), good_reading(hashrate_ths=100.0)


def miner() -> Known:
    record = DeviceRecord("m-1", "miner", "fake", curve=((3_000, 100.0),), sleep_w=25)
    placed = Placement(
        mac="02:00:00:00:00:01", feeder="leg1", container="c1", rack=1, shelf=1, slot=1, pdu="p", outlet=2
    )
    return Known(record, driver=None, placement=placed)


def pdu() -> Known:
    return Known(DeviceRecord("p", "pdu", "fake"), driver=None)


def at(second: float) -> Instant:
    return Instant(1_700_000_000_000 + int(second * 1000), second)


def outlets(power_w: float, quality: Quality = Quality.GOOD, energy_wh: float = 1.0) -> PduReading:
    packed = qualities(OUTLET_FIELDS, {"power_w": quality, "energy_wh": Quality.GOOD})
    return PduReading(
        outlets=(
            OutletReading(outlet=1),
            OutletReading(outlet=2, on=True, quality=packed, power_w=power_w, energy_wh=energy_wh),
        )
    )


def state(live: Live, second: float) -> OpState:
    return live.freeze(1, at(second)).miners["m-1"].reading.op_state


def test_a_machine_that_says_it_sleeps_while_its_outlet_works_is_unknown_and_a_fault():
    live = Live()
    live.miner_read(miner(), at(0), ASLEEP)
    for second in (1, 2):
        live.pdu_read(pdu(), at(second), outlets(WORK))
    live.miner_read(miner(), at(3), ASLEEP)
    assert state(live, 3) is OpState.UNKNOWN
    assert "p/2" in live.freeze(1, at(3)).miners["m-1"].reading.faults[0]
    assert live.take_tables()[0].op_state[-1] == OpState.UNKNOWN
    live.pdu_read(pdu(), at(4), outlets(REST))
    live.miner_read(miner(), at(5), ASLEEP)
    assert state(live, 5) is OpState.SLEEPING
    assert live.freeze(1, at(5)).miners["m-1"].reading.faults == ()


def test_a_machine_that_says_it_hashes_while_its_outlet_rests_is_unknown():
    live = Live()
    live.miner_read(miner(), at(0), HASHING)
    for second in (1, 2):
        live.pdu_read(pdu(), at(second), outlets(REST))
    live.miner_read(miner(), at(3), HASHING)
    assert state(live, 3) is OpState.UNKNOWN


def test_samples_from_before_it_said_so_and_old_ones_and_doubtful_ones_deny_nothing():
    live = Live()
    for second in (1, 2):
        live.pdu_read(pdu(), at(second), outlets(WORK))
    live.miner_read(miner(), at(3), ASLEEP)
    live.pdu_read(pdu(), at(4), outlets(WORK))
    live.miner_read(miner(), at(5), ASLEEP)
    assert state(live, 5) is OpState.SLEEPING, "one sample since it fell asleep"
    live.pdu_read(pdu(), at(6), outlets(WORK, Quality.IMPLAUSIBLE))
    live.miner_read(miner(), at(7), ASLEEP)
    assert state(live, 7) is OpState.SLEEPING
    live.pdu_read(pdu(), at(8), outlets(WORK))
    live.miner_read(miner(), at(60), ASLEEP)
    assert state(live, 60) is OpState.SLEEPING


def test_a_pdu_that_repeats_its_watts_is_frozen_and_no_witness():
    live = Live()
    for number in range(SAMPLES):
        live.pdu_read(pdu(), at(number * 7), outlets(WORK))
    frozen = live.freeze(1, at(40)).pdus["p"].reading.outlets[1]
    assert quality_of(frozen, "power_w") is Quality.FROZEN
    assert live.freeze(1, at(40)).outlets["p", 2][-1].at_s == (SAMPLES - 2) * 7
    live.pdu_read(pdu(), at(42), outlets(WORK, energy_wh=2.0))
    assert live.freeze(1, at(42)).outlets["p", 2][-1].at_s == 42


def test_a_pdu_whose_machines_all_rest_may_stand_still():
    live = Live()
    for number in range(SAMPLES * 2):
        live.pdu_read(pdu(), at(number * 7), outlets(REST))
    assert quality_of(live.freeze(1, at(90)).pdus["p"].reading.outlets[1], "power_w") is Quality.GOOD
