"""A meter against what is measured below it."""

import pytest

from agent.site.safety import Interlocks
from shared.site import Instrument, Site
from tests.agent.site.scene import image_of, small_site

START_MS = 1_700_000_000_000
BELOW_W = 18_000.0  # six machines of 3 kW


def run(site: Site, metered_w: float, *seconds: int) -> tuple[Interlocks, list[bool]]:
    """The locks after those cycles, and the alarms about the meter."""
    locks, told = Interlocks(site), []
    for t_s in seconds:
        seen = locks.observe(image_of(site, START_MS + t_s * 1000, site_w=metered_w))
        told += [alarm.active for alarm in seen.alarms if alarm.rule == "interlock.meter-low"]
    return locks, told


@pytest.mark.parametrize(("metered_w", "believed"), [
    (BELOW_W, True), (0.75 * BELOW_W, True), (0.58 * BELOW_W, False), (BELOW_W / 3, False), (18.0, False),
])  # fmt: skip
def test_a_meter_far_below_the_sum_of_what_is_measured_is_not_used_after_its_patience(metered_w, believed):
    locks, told = run(small_site(), metered_w, 0, 15, 31)
    assert locks.loads()["tx1-main"].measured is believed
    assert told == ([] if believed else [True])
    if not believed:
        assert locks.loads()["tx1-main"].load_w == BELOW_W


def test_a_meter_that_falls_before_the_machines_own_readings_do_is_believed():
    locks, told = run(small_site(), 1_000.0, 0, 10, 20)
    assert locks.loads()["tx1-main"].measured
    assert not told


def test_where_something_generates_the_meter_may_be_lower():
    site = small_site()
    meter = Instrument(id="m-site", profile="eastron.sdm630", address="127.0.0.1", generation=True)
    site = Site(id=site.id, name="", feeder=site.feeder, meter=(meter,), placement=site.placement)
    locks, told = run(site, 1_000.0, 0, 15, 31)
    assert locks.loads()["tx1-main"].load_w == 1_000
    assert not told
