"""Hot chips and hot air, beyond the trip itself."""

from agent.site.devices.image import ProcessImage
from agent.site.safety import Interlocks
from shared.actions import Sleep, SwitchOutlet
from shared.site import miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, plugged, small_site

START_MS = 1_700_000_000_000
MINERS = 6


def running(number: int, inlet_c: float):
    """The higher its number, the hotter its chips."""
    return good_reading(power_w=900.0, chip_temp_c=60.0 + number, inlet_temp_c=inlet_c)


def air(t_s: int, inlet_c: float, asleep: set[int]) -> ProcessImage:
    rest = good_reading(OpState.SLEEPING, power_w=25.0, inlet_temp_c=inlet_c)
    readings = {n: rest if n in asleep else running(n, inlet_c) for n in range(MINERS)}
    return image_of(small_site(), START_MS + t_s * 1000, readings, site_w=5_000.0)


def test_hot_air_puts_the_hottest_machines_to_sleep_a_quarter_at_a_time_until_it_is_cooler():
    locks = Interlocks(small_site(inlet_max_c=40.0, inlet_resume_c=35.0))
    numbers = {miner_id(mac(number)): number for number in range(MINERS)}
    asleep: set[int] = set()
    shed = []
    cycles = ((0, 41.0), (60, 41.0), (121, 40.0), (180, 38.0), (300, 38.0), (420, 34.0), (540, 39.0), (600, 40.5))
    for t_s, inlet_c in cycles:
        demands = locks.observe(air(t_s, inlet_c, asleep)).demands
        assert all(demand.action == Sleep() and demand.rule == "interlock.inlet-high" for demand in demands)
        shed.append([numbers[demand.device_id] for demand in demands])
        asleep |= set(shed[-1])
    assert shed == [[5, 4], [], [3], [], [], [], [], [2]]


def test_one_lying_sensor_among_machines_that_tell_nothing_sheds_nobody():
    locks = Interlocks(small_site(inlet_max_c=40.0))
    readings = {n: good_reading(power_w=900.0) for n in range(MINERS)} | {0: running(0, 70.0)}
    assert not locks.observe(image_of(small_site(), START_MS, readings, site_w=5_000.0)).demands


def test_a_hot_machine_that_is_not_read_any_more_is_told_again_and_cut_off_at_its_outlet():
    site = plugged(small_site(chip_max_c=95.0))
    locks, actions = Interlocks(site), []
    hot = good_reading(power_w=3_000.0, chip_temp_c=97.0)
    for t_s in range(200):
        image = image_of(site, START_MS + t_s * 1000, {0: hot if t_s == 0 else None}, site_w=1_000.0)
        actions += [(demand.device_id, demand.action) for demand in locks.observe(image).demands]
    assert actions == [(miner_id(mac(0)), Sleep()), ("pdu-0", SwitchOutlet(outlet=1, on=False))]
