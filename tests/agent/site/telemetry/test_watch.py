"""Nobody stays untold of what is wrong, and nobody is told twice, also over a restart."""

import pytest

from agent.site.devices.image import MeterState, MinerState, PduState, ProcessImage, Rating
from agent.site.devices.reading import MinerReading
from agent.site.safety import Interlocks
from agent.site.safety.verdict import Alarm
from agent.site.telemetry.poller import reach_of
from agent.site.telemetry.watch import SHOWS_WITHIN_S, Watch
from shared.actions import Wake
from shared.errors import AuthFailed, DeviceTimeout, IdentityChanged, ProtocolViolation, Unreachable
from shared.site import miner_id
from shared.states import Reach
from shared.wire.event import Event
from tests.agent.site.scene import good_reading, image_of, mac, small_site

MINER = "m-1"
START_S = 1_000.0
START_MS = 1_700_000_000_000


def image(now_s: float, reading: MinerReading | None, *, read_s: float | None = None, reach: Reach = Reach.UP):
    observed_s = now_s if read_s is None and reading is not None else read_s
    state = MinerState(MINER, reach, Rating(3_000, 25), None, None, observed_s, reading)
    return ProcessImage(1, int(now_s * 1_000), now_s, {MINER: state}, {}, {})


def told(events: list[Event]) -> list[tuple[str, bool, str]]:
    return [(event.code, event.active, event.text) for event in events]


@pytest.mark.parametrize("reach", [Reach.UP, Reach.TIMEOUT])
def test_a_device_whose_reading_is_old_is_silent_however_the_last_try_ended(reach):
    watch, reading = Watch(), good_reading()
    assert not watch.compare(image(START_S, reading), ())
    events = watch.compare(image(START_S + 21, reading, read_s=START_S, reach=reach), ())
    assert [(event.code, event.active) for event in events] == [("device.silent", True)]


def test_a_second_fault_beside_a_standing_one_is_told_and_moving_figures_are_not():
    watch = Watch()
    fan, board = "fan 1: 90 rpm", "board 2 missing"
    assert told(watch.compare(image(1, good_reading(faults=(fan,))), ())) == [("device.fault", True, fan)]
    assert not watch.compare(image(2, good_reading(faults=("fan 1: 85.5 rpm",))), ())
    both = told(watch.compare(image(3, good_reading(faults=(fan, board))), ()))
    assert both == [("device.fault", True, f"{fan}; {board}")]
    assert not watch.compare(image(4, good_reading(faults=(board, fan))), ())
    assert told(watch.compare(image(5, good_reading(faults=(board,))), ())) == [("device.fault", True, board)]


def test_an_alarm_that_ended_while_the_agent_was_down_is_cleared_by_the_first_reading():
    watch = Watch()
    watch.resume({("device.fault", MINER): "fan"}, {MINER}, START_S)
    assert not watch.compare(image(START_S + 500, None, reach=Reach.NEVER), ())  # nobody knows yet
    assert told(watch.compare(image(START_S + 501, good_reading()), ())) == [("device.fault", False, "fan")]
    assert not watch.compare(image(START_S + 502, good_reading()), ())


def test_one_that_still_holds_is_not_told_again():
    watch = Watch()
    watch.resume({("device.fault", MINER): "fan"}, {MINER}, START_S)
    assert not watch.compare(image(START_S + 1, good_reading(faults=("fan",))), ())
    assert told(watch.compare(image(START_S + 2, good_reading()), ())) == [("device.fault", False, "fan")]


def test_what_is_no_part_of_the_site_any_more_ends_after_a_minute():
    watch = Watch()
    watch.resume({("device.silent", "m-gone"): "does not answer (timeout)"}, {MINER}, START_S)
    assert not watch.compare(image(START_S + SHOWS_WITHIN_S - 1, good_reading()), ())
    events = watch.compare(image(START_S + SHOWS_WITHIN_S, good_reading()), ())
    assert [(event.code, event.subject, event.active) for event in events] == [("device.silent", "m-gone", False)]


def test_a_rule_that_shows_again_keeps_its_alarm_and_one_that_does_not_loses_it():
    watch = Watch()
    keys = [("interlock.feeder-overload", "f1"), ("interlock.feeder-overload", "f2")]
    watch.resume(dict.fromkeys(keys, "over"), {MINER}, START_S)
    again = Alarm("interlock.feeder-overload", "f1", True, "still over")
    assert len(watch.compare(image(START_S + 5, good_reading()), (again,))) == 1
    events = watch.compare(image(START_S + SHOWS_WITHIN_S, good_reading()), ())
    assert [(event.subject, event.active) for event in events] == [("f2", False)]


def test_a_hot_chip_stays_hot_over_a_restart_until_it_has_cooled_down():
    """Between resume (80 °C) and trip (95 °C) only memory knows which side it came from."""
    site = small_site()
    locks, first = Interlocks(site), miner_id(mac(0))
    gone = {("interlock.chip-hot", "m-gone"), ("interlock.feeder-overload", "leg-l1")}
    assert locks.resume({("interlock.chip-hot", first), *gone}, 0.0) == {("interlock.chip-hot", first)}
    locks.observe(image_of(site, START_MS, {0: good_reading(chip_temp_c=88.0)}))
    refusal = locks.admit(first, Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.chip-hot"
    seen = locks.observe(image_of(site, START_MS + 1_000, {0: good_reading(chip_temp_c=79.0)}))
    assert [(alarm.rule, alarm.active) for alarm in seen.alarms] == [("interlock.chip-hot", False)]


@pytest.mark.parametrize("kind", ["meters", "pdus"])
def test_an_instrument_that_was_exchanged_is_told_as_that(kind):
    watch = Watch()
    other = MeterState("i-1", Reach.OTHER) if kind == "meters" else PduState("i-1", Reach.OTHER)
    before = {"meters": {}, "pdus": {}}
    seen = ProcessImage(1, 1_000, 1.0, {}, **(before | {kind: {"i-1": other}}))
    events = [(event.code, event.active) for event in watch.compare(seen, ())]
    assert ("device.exchanged", True) in events
    assert watch.compare(ProcessImage(2, 2_000, 2.0, {}, {}, {}), ())[0].active is False


@pytest.mark.parametrize(
    ("error", "reach"),
    [
        (IdentityChanged("x"), Reach.OTHER),
        (Unreachable("x"), Reach.REFUSED),
        (DeviceTimeout("x"), Reach.TIMEOUT),
        (TimeoutError(), Reach.TIMEOUT),
        (AuthFailed("x"), Reach.AUTH),
        (ProtocolViolation("x"), Reach.MALFORMED),
    ],
)
def test_every_end_of_a_try_is_told_as_what_it_is(error, reach):
    assert reach_of(error) is reach
