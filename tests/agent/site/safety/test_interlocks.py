"""Rules as tables of cycles: what goes in, what comes out."""

import pytest

from agent.site.safety import Interlocks
from shared.actions import Pool, SetPools, SetPowerLimit, Sleep, Wake
from shared.site import miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, small_site

START_MS = 1_700_000_000_000
FIRST = miner_id(mac(0))


def asleep(**values: float):
    return good_reading(OpState.SLEEPING, power_w=25.0, **values)


CHIP_CYCLES = (  # t_s, chip °C, tripped now, demands sleep, wake refused afterwards
    (0, 80.0, None, False, False),
    (5, 95.0, True, True, True),
    (10, 90.0, None, False, True),  # hysteresis holds
    (15, None, None, False, True),  # unknown changes nothing
    (20, 80.0, False, False, False),
    (25, None, None, False, False),
)


def test_chip_temperature_trips_with_hysteresis_and_unknown_changes_nothing():
    site = small_site(chip_max_c=95.0, chip_resume_c=80.0)
    locks = Interlocks(site)
    for t_s, chip_c, tripped, sleeps, wake_refused in CHIP_CYCLES:
        reading = asleep(**({} if chip_c is None else {"chip_temp_c": chip_c}))
        seen = locks.observe(image_of(site, START_MS + t_s * 1000, {0: reading}, site_w=1_000.0))
        of_chip = [alarm for alarm in seen.alarms if alarm.rule == "interlock.chip-hot"]
        assert [alarm.active for alarm in of_chip] == ([] if tripped is None else [tripped]), t_s
        assert [d.device_id for d in seen.demands] == ([FIRST] if sleeps else []), t_s
        refusal = locks.admit(FIRST, Wake())
        assert (refusal is not None and refusal.rule == "interlock.chip-hot") is wake_refused, t_s
        locks.rests(FIRST)


def test_hot_inlet_refuses_to_wake_a_whole_container_until_it_has_cooled():
    site = small_site(inlet_max_c=40.0, inlet_resume_c=35.0)
    locks = Interlocks(site)
    for t_s, inlet_c, refused in ((0, 30.0, False), (5, 41.0, True), (10, 37.0, True), (15, 34.0, False)):
        readings = {i: asleep(inlet_temp_c=inlet_c) for i in range(6)}
        locks.observe(image_of(site, START_MS + t_s * 1000, readings, site_w=1_000.0))
        refusal = locks.admit(FIRST, Wake())
        assert (refusal is not None and refusal.rule == "interlock.inlet-high") is refused, t_s
        locks.rests(FIRST)


def test_one_hot_sensor_does_not_stop_a_container():
    site = small_site()
    locks = Interlocks(site)
    readings = {i: asleep(inlet_temp_c=25.0) for i in range(6)} | {3: asleep(inlet_temp_c=70.0)}
    seen = locks.observe(image_of(site, START_MS, readings, site_w=1_000.0))
    assert not seen.alarms
    assert locks.admit(FIRST, Wake()) is None


def test_a_leg_takes_only_what_it_can_carry_and_reserves_what_it_admitted():
    """A leg carries 6,144 W: the first wake of up to 3,500 W fits, a second on the same leg does not."""
    site = small_site()
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, {i: asleep() for i in range(6)}, site_w=300.0))
    same_leg = miner_id(mac(3))
    assert locks.admit(FIRST, Wake()) is None
    refusal = locks.admit(same_leg, Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.feeder-full"
    assert "leg1" in refusal.detail
    locks.rests(FIRST)
    assert locks.admit(same_leg, Wake()) is None


def test_an_unknown_miner_counts_at_its_worst_case_so_nothing_more_is_admitted_beside_it():
    site = small_site()
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, {i: asleep() for i in range(6)} | {3: None}, site_w=300.0))
    refusal = locks.admit(FIRST, Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.feeder-full"


def test_a_power_limit_adds_only_its_difference():
    site = small_site()
    locks = Interlocks(site)
    readings = {0: good_reading(power_w=2_900.0), 3: good_reading(power_w=2_900.0)}
    locks.observe(image_of(site, START_MS, readings, site_w=12_000.0))
    assert locks.admit(FIRST, SetPowerLimit(limit_w=3_100)) is None
    refused = locks.admit(miner_id(mac(3)), SetPowerLimit(limit_w=3_400))
    assert refused is not None
    assert refused.rule == "interlock.feeder-full"


def test_downs_always_pass():
    site = small_site(chip_max_c=50.0)
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, site_w=99_000.0))
    assert locks.admit(FIRST, Sleep()) is None
    assert locks.admit(FIRST, SetPowerLimit(limit_w=1_000)) is None


OVERLOAD_CYCLES = (  # t_s, meter W, alarm, sheds (limit 40,000 W, rating 50,000 W)
    (0, 39_000.0, None, False),
    (1, 41_000.0, True, False),  # above the continuous limit: ten seconds of grace
    (8, 41_000.0, None, False),
    (11, 41_000.0, None, True),
    (20, 41_000.0, None, False),  # settling: the shed needs time to show
    (32, 41_000.0, None, True),
    (53, 39_000.0, False, False),
    (54, 51_000.0, True, True),  # above the rating: no grace
)


def test_a_measured_overload_sheds_after_its_grace_and_a_gross_one_at_once():
    site = small_site()
    locks = Interlocks(site)
    for t_s, metered_w, alarm, sheds in OVERLOAD_CYCLES:
        seen = locks.observe(image_of(site, START_MS + t_s * 1000, site_w=metered_w))
        active = [a.active for a in seen.alarms if a.subject == "tx1-main"]
        assert active == ([] if alarm is None else [alarm]), t_s
        assert {d.rule for d in seen.demands} == ({"interlock.feeder-overload"} if sheds else set()), t_s


def test_a_shed_is_large_enough_and_no_larger_than_one_machine_more():
    site = small_site()
    locks = Interlocks(site)
    seen = locks.observe(image_of(site, START_MS, site_w=51_000.0))
    freed_w = len(seen.demands) * (3_000 - 25)
    excess_w = 51_000 - 0.98 * 40_000
    assert excess_w <= freed_w < excess_w + 3_000


def test_an_estimated_overload_alarms_but_stops_no_machine():
    site = small_site()
    locks = Interlocks(site)
    readings = dict.fromkeys(range(6))
    for t_s in (0, 15, 40):
        seen = locks.observe(image_of(site, START_MS + t_s * 1000, readings, max_w=9_000))
        assert not seen.demands
    assert locks.loads()["leg1"].load_w > (locks.loads()["leg1"].capacity_w or 0)


def test_a_pool_outside_the_allowed_list_is_refused():
    site = small_site(allowed_pools=("stratum+tcp://pool.example",))
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS))
    assert locks.admit(FIRST, SetPools((Pool("stratum+tcp://pool.example:3333", "bes.1"),))) is None
    for url in ("stratum+tcp://thief.example:3333", "stratum+tcp://pool.example.thief.example:3333"):
        refusal = locks.admit(FIRST, SetPools((Pool(url, "x"),)))
        assert refusal is not None
        assert refusal.rule == "policy.pool-not-allowed"


@pytest.mark.parametrize("woken", [0, 1, 2])
def test_waking_the_fullest_leg_is_refused_for_imbalance(woken: int):
    """Legs of 6,144 W; two run, the third is empty: another machine on a running leg would leave them apart."""
    site = small_site(phase_imbalance_max_pct=10.0)
    readings = {i: asleep() for i in range(6)} | {
        (woken + 1) % 3: good_reading(power_w=2_400.0),
        woken: good_reading(power_w=2_600.0),
    }
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, readings, site_w=5_500.0, max_w=2_600))
    refusal = locks.admit(miner_id(mac(woken + 3)), Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.phase-imbalance"
    locks.rests(miner_id(mac(woken + 3)))
    assert locks.admit(miner_id(mac((woken + 2) % 3)), Wake()) is None


def test_balanced_legs_may_take_one_machine_each_and_two_orders_that_balance_each_other():
    """A machine is more than the limit of a leg: a rule on what comes after could never bring a site back."""
    site = small_site(phase_imbalance_max_pct=10.0)
    running = {i: good_reading(power_w=2_500.0) for i in range(3)} | {i: asleep() for i in (3, 4, 5)}
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, running, site_w=7_600.0, max_w=2_600))
    assert [locks.admit(miner_id(mac(i)), Wake()) for i in (3, 4, 5)] == [None, None, None]


def test_a_hot_machine_that_stays_awake_is_told_again_and_one_that_sleeps_is_not():
    site = small_site(chip_max_c=95.0)
    locks = Interlocks(site)
    hot = good_reading(power_w=3_000.0, chip_temp_c=97.0)
    told = [
        len(locks.observe(image_of(site, START_MS + t_s * 1000, {0: hot}, site_w=1_000.0)).demands)
        for t_s in (0, 1, 89, 90, 91)
    ]
    assert told == [1, 0, 0, 1, 0]
    resting = asleep(chip_temp_c=90.0)
    assert not locks.observe(image_of(site, START_MS + 130_000, {0: resting}, site_w=1_000.0)).demands


@pytest.mark.parametrize(("limit_w", "passes"), [(2_650, True), (3_000, False)])
def test_imbalance_is_judged_with_what_the_order_adds(limit_w: int, passes: bool):
    """leg1 stands 8 % above the mean: 50 W more are within 10 %, 400 W are not."""
    site = small_site(phase_imbalance_max_pct=10.0)
    drawn_w = {0: 2_600.0, 1: 2_400.0, 2: 2_400.0, 3: 2_600.0, 4: 2_350.0, 5: 2_050.0}
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, {n: good_reading(power_w=watts) for n, watts in drawn_w.items()}))
    refusal = locks.admit(FIRST, SetPowerLimit(limit_w=limit_w))
    assert (refusal is None) is passes
    assert passes or refusal.rule == "interlock.phase-imbalance"


def test_the_orders_of_one_wave_may_come_leg_by_leg_but_a_second_wave_on_one_leg_waits_for_the_others():
    site = small_site(miners=12, phase_imbalance_max_pct=10.0)
    at_rest = {n: good_reading(power_w=2_500.0) if n in (6, 7, 8) else asleep() for n in range(12)}
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, at_rest, site_w=7_700.0, max_w=1_500))
    leg_by_leg = [number for leg in range(3) for number in (leg, leg + 3)]
    assert [locks.admit(miner_id(mac(number)), Wake()) for number in leg_by_leg] == [None] * 6
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, at_rest, site_w=7_700.0, max_w=1_500))
    assert locks.admit(FIRST, Wake()) is None
    locks.observe(image_of(site, START_MS + 1_000, at_rest, site_w=7_700.0, max_w=1_500))
    refusal = locks.admit(miner_id(mac(3)), Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.phase-imbalance"
    assert locks.admit(miner_id(mac(1)), Wake()) is None
