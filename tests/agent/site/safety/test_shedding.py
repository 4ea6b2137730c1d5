"""Who is shed when: only known watts count as relief, the meter decides whether more is needed."""

from collections.abc import Iterator

import msgspec
import pytest

from agent.site.autonomy.plan import Autonomy
from agent.site.devices.image import OutletSample, ProcessImage
from agent.site.safety import Demand, Interlocks
from shared.actions import Sleep, SwitchOutlet
from shared.site import Site, miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, plugged, small_site

START_MS = 1_700_000_000_000
DEAD = (0, 1, 2)
RUNNING_W, ASLEEP_W = 3_000.0, 25.0


class MeteredSite:
    """Machines that obey after a moment, except the dead ones; the meter says what they really draw."""

    def __init__(self, miners: int, dead: tuple[int, ...], other_w: float) -> None:
        self.site = without_ratings(small_site(miners=miners))
        self._ids = [miner_id(placed.mac) for placed in self.site.placement]
        self._dead = {self._ids[number] for number in dead}
        self._asleep: set[str] = set()
        self._other_w = other_w

    def image(self, t_s: int) -> ProcessImage:
        readings = {}
        for number, device_id in enumerate(self._ids):
            resting = device_id in self._asleep
            state = OpState.SLEEPING if resting else OpState.HASHING
            reading = good_reading(state, power_w=ASLEEP_W if resting else RUNNING_W)
            readings[number] = None if device_id in self._dead else reading
        return image_of(self.site, START_MS + t_s * 1000, readings, site_w=self.metered_w)

    @property
    def metered_w(self) -> float:
        awake = len(self._ids) - len(self._dead) - len(self._asleep)
        return self._other_w + awake * RUNNING_W + len(self._asleep) * ASLEEP_W

    def obey(self, demands: tuple[Demand, ...] | list[Demand]) -> None:
        self._asleep |= {demand.device_id for demand in demands} - self._dead


def without_ratings(site: Site) -> Site:
    """Only the site itself has a limit, of 40 kW."""
    feeders = tuple(msgspec.structs.replace(feeder, rating_a=None, voltage_v=None) for feeder in site.feeder)
    return msgspec.structs.replace(site, feeder=feeders)


def rounds(metered: MeteredSite, locks: Interlocks, last_s: int) -> Iterator[list[str]]:
    for t_s in range(last_s):
        demands = locks.observe(metered.image(t_s)).demands
        if demands:
            yield [demand.device_id for demand in demands]
        metered.obey(demands)


def test_dead_machines_are_no_relief_and_the_meter_falls():
    """45 kW against 40 kW; three of the machines are dead and draw nothing of it."""
    metered = MeteredSite(miners=12, dead=DEAD, other_w=18_000.0)
    assert metered.metered_w == 45_000
    asked = list(rounds(metered, Interlocks(metered.site), 60))
    assert metered.metered_w <= 40_000
    assert len(asked) == 1
    assert len(asked[0]) == 2, "two running machines are enough"
    assert not {miner_id(mac(number)) for number in DEAD} & set(asked[0])


def test_where_the_known_ones_are_not_enough_the_unknown_are_asked_once_and_not_again_and_again():
    metered = MeteredSite(miners=6, dead=DEAD, other_w=45_000.0)
    asked = [device_id for ids in rounds(metered, Interlocks(metered.site), 89) for device_id in ids]
    assert sorted(asked) == sorted(miner_id(mac(number)) for number in range(6))


def test_autonomy_counts_no_dead_machine_either():
    metered = MeteredSite(miners=12, dead=DEAD, other_w=0.0)
    autonomy, locks = Autonomy(fallback_cap_w=20_000), Interlocks(metered.site)
    for t_s in range(0, 200, 10):
        image = metered.image(t_s)
        locks.observe(image)
        metered.obey(autonomy.decide(image, locks.site_load_w(), None, 1e6, START_MS))
    assert metered.metered_w <= 20_000


def overloaded_leg(t_s: int, site: Site, *readings: object) -> ProcessImage:
    """Two machines on leg1 of 6,144 W, three legs, no meter anywhere."""
    return image_of(site, START_MS + t_s * 1000, dict(zip((0, 3), readings, strict=True)) | {1: None, 2: None})


@pytest.mark.parametrize(("first_w", "second_w", "sheds"), [(3_300.0, 3_200.0, True), (3_000.0, 3_000.0, False)])
def test_a_leg_without_a_meter_is_shed_by_what_its_machines_measure(first_w, second_w, sheds):
    site, shed = small_site(), set()
    locks = Interlocks(site)
    for t_s in (0, 5, 11):
        readings = (good_reading(power_w=first_w), good_reading(power_w=second_w))
        shed |= {demand.device_id for demand in locks.observe(overloaded_leg(t_s, site, *readings)).demands}
    assert shed == ({miner_id(mac(0))} if sheds else set())


def test_an_outlets_watts_are_a_measured_draw_of_a_machine_that_tells_none():
    site = plugged(small_site())
    locks, mute = Interlocks(site), good_reading(OpState.HASHING)
    demands: tuple[Demand, ...] = ()
    for t_s in (0, 11):
        image = overloaded_leg(t_s, site, mute, mute)
        samples = {(f"pdu-{n}", 1): (OutletSample(image.sampled_s, 3_200.0),) for n in (0, 3)}
        demands = locks.observe(msgspec.structs.replace(image, outlets=samples)).demands
    assert locks.loads()["leg1"].sure_w == 6_400
    assert len(demands) == 1


def test_a_dead_meter_leaves_its_feeder_to_the_sum_of_what_is_measured_below():
    site = without_ratings(small_site(miners=15))
    locks = Interlocks(site)
    image_of_no_meter = [image_of(site, START_MS + t_s * 1000) for t_s in (0, 11)]
    seen = [locks.observe(image) for image in image_of_no_meter]
    assert locks.loads()["tx1-main"].sure_w == 45_000
    assert seen[1].demands


def test_who_does_not_sleep_is_cut_off_at_its_outlet():
    site = plugged(small_site())
    locks, stubborn = Interlocks(site), good_reading(power_w=3_300.0)
    actions = []
    for t_s in range(120):
        actions += [d.action for d in locks.observe(overloaded_leg(t_s, site, stubborn, stubborn)).demands]
    assert [action for action in actions if isinstance(action, Sleep)] == [Sleep(), Sleep()]
    assert SwitchOutlet(outlet=1, on=False) in actions


def test_a_clock_that_is_set_back_an_hour_neither_stops_a_shed_nor_freshens_what_is_old():
    site = small_site()
    locks = Interlocks(site)
    for t_s, wall_ms in ((0, START_MS), (5, START_MS - 3_600_000), (11, START_MS - 3_594_000)):
        image = image_of(site, START_MS + t_s * 1000, site_w=45_000.0)
        demands = locks.observe(msgspec.structs.replace(image, sampled_at_ms=wall_ms)).demands
    assert demands, "ten seconds of grace are over, whatever the wall clock says"
    old = image_of(site, START_MS, site_w=45_000.0)
    later = msgspec.structs.replace(old, sampled_s=old.sampled_s + 60, sampled_at_ms=START_MS - 3_600_000)
    locks.observe(later)
    assert not locks.loads()["tx1-main"].measured
