"""What the image shows and what the wire carries, for readings good, frozen, partial and missing."""

from agent.site.devices.reading import BoardReading, OutletReading, PduReading, quality_of
from agent.site.roster import Known
from agent.site.telemetry.flatline import SAMPLES
from agent.site.telemetry.live import Live
from agent.site.telemetry.watch import Watch
from shared.quality import Quality
from shared.states import OpState, Reach
from shared.wire.codec import pack, unpack
from shared.wire.event import DeviceRecord
from shared.wire.telemetry import TelemetryBatch, lengths_agree
from tests.agent.site.scene import at, changed, good_meter, good_reading

START_MS = 1_700_000_000_000


def known(device_id: str = "m-1") -> Known:
    return Known(DeviceRecord(device_id, "miner", "fake", curve=((3_000, 100.0),), sleep_w=25), driver=None)


def test_a_failed_poll_keeps_the_last_reading_with_its_age_and_tells_the_wire_nothing_but_the_reach():
    live = Live()
    live.miner_read(known(), at(START_MS), good_reading(power_w=3_000.0))
    live.miner_failed(known(), START_MS + 5_000, Reach.TIMEOUT)
    state = live.freeze(1, at(START_MS + 5_000)).miners["m-1"]
    assert (state.reach, state.observed_at_ms, state.reading.power_w) == (Reach.TIMEOUT, START_MS, 3_000.0)
    assert state.value("power_w", at(START_MS + 5_000).monotonic_s, 15.0) == 3_000.0
    assert state.value("power_w", at(START_MS + 16_000).monotonic_s, 15.0) is None
    assert state.op_state(at(START_MS + 16_000).monotonic_s, 15.0) is OpState.UNKNOWN
    miners, *_ = live.take_tables()
    assert miners.power_w == [3_000.0, None]
    assert miners.reach == [Reach.UP, Reach.TIMEOUT]
    assert miners.quality[1] == 0


def test_an_image_does_not_change_under_a_decision():
    live = Live()
    live.miner_read(known(), at(START_MS), good_reading(power_w=3_000.0))
    image = live.freeze(1, at(START_MS))
    live.miner_read(known(), at(START_MS + 1), good_reading(power_w=9.0))
    assert image.miners["m-1"].reading.power_w == 3_000.0


def test_a_hot_poll_keeps_the_boards_of_the_last_full_poll_in_the_image_but_does_not_send_them_again():
    live = Live()
    live.miner_read(known(), at(START_MS), changed(good_reading(), boards=(BoardReading(slot=0, chips_good=76),)))
    live.take_tables()
    live.miner_read(known(), at(START_MS + 5_000), good_reading(power_w=1.0))
    assert live.freeze(1, at(START_MS)).miners["m-1"].reading.boards[0].chips_good == 76
    assert live.take_tables()[1].slot == []


def test_a_hash_rate_that_repeats_to_the_last_digit_is_frozen_until_it_moves():
    live = Live()
    for number in range(SAMPLES):
        live.miner_read(known(), at(START_MS + number * 6_000), good_reading(hashrate_ths=100.01, power_w=3_000.0))
    frozen = live.freeze(1, at(START_MS)).miners["m-1"].reading
    assert quality_of(frozen, "hashrate_ths") is Quality.FROZEN
    assert quality_of(frozen, "power_w") is Quality.FROZEN
    live.miner_read(known(), at(START_MS + 60_000), good_reading(hashrate_ths=100.02, power_w=3_000.0))
    assert quality_of(live.freeze(1, at(START_MS)).miners["m-1"].reading, "hashrate_ths") is Quality.GOOD


def test_nobody_knows_what_a_frozen_miner_does_whether_its_rate_stands_or_only_its_uptime():
    live = Live()
    for number in range(SAMPLES):
        at_ms = START_MS + number * 6_000
        live.miner_read(known("rate"), at(at_ms), good_reading(hashrate_ths=100.01, uptime_s=1_000 + number * 6))
        live.miner_read(known("asleep"), at(at_ms), good_reading(OpState.SLEEPING, hashrate_ths=0.0, uptime_s=1_000))
        live.miner_read(
            known("alive"), at(at_ms), good_reading(OpState.SLEEPING, hashrate_ths=0.0, uptime_s=1_000 + number * 6)
        )
    states = {name: state.reading.op_state for name, state in live.freeze(1, at(START_MS)).miners.items()}
    assert states == {"rate": OpState.UNKNOWN, "asleep": OpState.UNKNOWN, "alive": OpState.SLEEPING}


def test_equal_values_within_seconds_are_no_flatline_and_neither_is_a_sleeping_miner():
    live = Live()
    for number in range(SAMPLES * 2):
        live.miner_read(known("fast"), at(START_MS + number * 500), good_reading(hashrate_ths=100.01))
        live.miner_read(
            known("asleep"), at(START_MS + number * 9_000), good_reading(OpState.SLEEPING, hashrate_ths=0.0)
        )
    image = live.freeze(1, at(START_MS))
    assert quality_of(image.miners["fast"].reading, "hashrate_ths") is Quality.GOOD
    assert quality_of(image.miners["asleep"].reading, "hashrate_ths") is Quality.GOOD


def test_a_batch_of_everything_survives_the_wire():
    live = Live()
    live.miner_read(known(), at(START_MS), changed(good_reading(power_w=3_000.0), boards=(BoardReading(slot=1),)))
    live.meter_read(known("meter"), at(START_MS), good_meter(power_w=12_000.0))
    live.pdu_read(known("pdu"), at(START_MS), PduReading(outlets=(OutletReading(outlet=1, on=True),)))
    live.pdu_failed(known("pdu"), START_MS, Reach.REFUSED)
    miners, boards, meters, outlets = live.take_tables()
    batch = TelemetryBatch(miners=miners, boards=boards, meters=meters, outlets=outlets)
    back = unpack(pack(batch), TelemetryBatch)
    assert lengths_agree(back)
    assert back.sample_count() == 5
    assert back.outlets.on == [1, None]
    assert back.meters.power_w == [12_000.0]
    assert live.take_tables()[0].device_id == []


def test_an_alarm_is_raised_once_and_cleared_once():
    live, watch = Live(), Watch()
    live.miner_read(known(), at(START_MS), good_reading(hashrate_ths=1.0))
    live.miner_failed(known(), START_MS + 5_000, Reach.TIMEOUT)
    told = []
    for t_s in (6, 19, 21, 30):
        told += watch.compare(live.freeze(1, at(START_MS + t_s * 1_000)), ())
    live.miner_read(known(), at(START_MS + 31_000), good_reading(hashrate_ths=1.1))
    told += watch.compare(live.freeze(1, at(START_MS + 31_000)), ())
    assert [(event.code, event.active) for event in told] == [("device.silent", True), ("device.silent", False)]
