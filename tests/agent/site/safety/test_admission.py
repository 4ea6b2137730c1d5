"""Which orders pass: what may add load, only where its load is known and there is room; what takes load off, always."""

import msgspec
import pytest

from agent.site.devices.image import MinerState, OutletSample, ProcessImage, Rating
from agent.site.discovery.record import never_read
from agent.site.safety import Interlocks
from agent.site.telemetry.live import Live
from shared.actions import Action, Restart, SetPowerLimit, SetPowerMode, Sleep, SwitchOutlet, Wake
from shared.clock import Instant
from shared.site import Site, miner_id
from shared.states import OpState, Reach
from tests.agent.site.scene import changed, good_reading, image_of, mac, plugged, small_site

START_MS = 1_700_000_000_000
FIRST = miner_id(mac(0))
UPS = (Wake(), SetPowerMode("normal"), SetPowerMode("high"), SetPowerLimit(3_000), SwitchOutlet(outlet=1, on=True))
DOWNS = (Sleep(), SetPowerMode("low"), SetPowerLimit(1_000), SwitchOutlet(outlet=1, on=False), Restart())


def verb(action: Action) -> str:
    return action.verb + str(getattr(action, "mode", ""))


def before_any_reading(site: Site) -> ProcessImage:
    return Live(map(never_read, site.placement)).freeze(1, Instant(START_MS, START_MS / 1000))


@pytest.mark.parametrize("action", UPS, ids=verb)
def test_nothing_rises_before_the_first_image_or_where_nobody_knows_the_machine(action):
    locks = Interlocks(small_site())
    refusal = locks.admit(FIRST, action)
    assert refusal is not None
    assert refusal.rule == "interlock.load-unknown"
    locks.observe(image_of(small_site(), START_MS))
    refusal = locks.admit("m-ffffffffffff", action)
    assert refusal is not None
    assert refusal.rule == "interlock.load-unknown"


def test_a_machine_that_stands_nowhere_does_not_rise():
    locks, site = Interlocks(small_site()), small_site()
    image = image_of(site, START_MS, {0: good_reading(OpState.SLEEPING, power_w=25.0)})
    stray = msgspec.structs.replace(image.miners[FIRST], placement=None)
    locks.observe(msgspec.structs.replace(image, miners={**image.miners, FIRST: stray}))
    refusal = locks.admit(FIRST, Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.load-unknown"


@pytest.mark.parametrize("action", DOWNS, ids=verb)
def test_what_takes_load_off_passes_whatever_is_known_and_however_hot_and_full_it_is(action):
    site = small_site(chip_max_c=90.0)
    locks = Interlocks(site)
    assert isinstance(action, SetPowerLimit) or locks.admit(FIRST, action) is None
    hot = good_reading(power_w=3_000.0, chip_temp_c=99.0)
    locks.observe(image_of(site, START_MS, {0: hot}, site_w=99_000.0))
    assert locks.admit(FIRST, action) is None


@pytest.mark.parametrize(("reading", "rule"), [
    (good_reading(power_w=3_600.0, chip_temp_c=99.0), "interlock.chip-hot"),
    (good_reading(power_w=3_600.0, chip_temp_c=70.0), "interlock.feeder-full"),
])  # fmt: skip
def test_mode_high_is_judged_also_of_a_machine_that_draws_its_nameplate(reading, rule):
    site = small_site()
    locks = Interlocks(site)
    locks.observe(image_of(site, START_MS, {0: reading}, site_w=99_000.0, max_w=3_500))
    refusal = locks.admit(FIRST, SetPowerMode("high"))
    assert refusal is not None
    assert refusal.rule == rule


HIGH = (  # rating, largest load of the leg's other machine beside which mode high fits (the leg carries 6,144 W)
    (Rating(max_w=3_000, sleep_w=25, high_w=3_900), 6_144 - 3_900),
    (Rating(max_w=3_000, sleep_w=25), 6_144 - 4_500),  # nobody knows its mode high: half as much again
)


@pytest.mark.parametrize(("rating", "room_w"), HIGH)
def test_mode_high_needs_the_watts_of_mode_high(rating, room_w):
    for other_w, passes in ((room_w - 10.0, True), (room_w + 10.0, False)):
        site = small_site(phase_imbalance_max_pct=500.0)
        locks = Interlocks(site)
        image = image_of(site, START_MS, {0: good_reading(power_w=3_000.0), 3: good_reading(power_w=other_w)})
        image = msgspec.structs.replace(image, miners=rated(image.miners, rating))
        locks.observe(image)
        assert (locks.admit(FIRST, SetPowerMode("high")) is None) is passes


def rated(miners, rating: Rating) -> dict[str, MinerState]:
    return {device_id: msgspec.structs.replace(miner, rating=rating) for device_id, miner in miners.items()}


def test_a_machine_asleep_in_mode_high_wakes_into_mode_high():
    site = small_site(phase_imbalance_max_pct=500.0)
    asleep = changed(good_reading(OpState.SLEEPING, power_w=25.0), power_mode="high")
    image = image_of(site, START_MS, {0: asleep, 3: good_reading(power_w=2_500.0)})
    locks = Interlocks(site)
    locks.observe(msgspec.structs.replace(image, miners=rated(image.miners, HIGH[0][0])))
    assert locks.admit(FIRST, Wake()) is not None


def test_every_placed_miner_is_in_the_image_at_its_worst_before_it_was_ever_read():
    site = small_site()
    image, locks = before_any_reading(site), Interlocks(site)
    locks.observe(image)
    assert {miner.reach for miner in image.miners.values()} == {Reach.NEVER}
    assert locks.loads()["leg1"].load_w == 2 * 6_000
    assert locks.loads()["leg1"].sure_w == 0, "a guess stops no machine"


def test_the_model_in_the_sites_file_bounds_what_an_unread_miner_may_draw():
    placed = msgspec.structs.replace(small_site().placement[0], model="M50")
    rating = never_read(placed).rating
    assert (rating.max_w, rating.high_w) == (3_422, round(1.3 * 3_422))


def test_a_mass_restore_by_outlet_right_after_a_restart_fills_no_feeder():
    """Nothing was read yet: 15 machines of unknown model on a site of 40 kW."""
    site = plugged(small_site(miners=15, phase_imbalance_max_pct=500.0))
    locks = Interlocks(site)
    locks.observe(before_any_reading(site))
    passed = [locks.admit(miner_id(placed.mac), SwitchOutlet(outlet=1, on=True)) is None for placed in site.placement]
    assert not any(passed)


def test_a_restore_by_outlet_of_machines_whose_outlets_are_read_as_off_fills_each_leg_once():
    site = plugged(small_site(phase_imbalance_max_pct=500.0))
    locks, image = Interlocks(site), before_any_reading(site)
    off = {(f"pdu-{n}", 1): (OutletSample(image.sampled_s, 0.0),) for n in range(6)}
    locks.observe(msgspec.structs.replace(image, outlets=off))
    passed = [locks.admit(miner_id(placed.mac), SwitchOutlet(outlet=1, on=True)) is None for placed in site.placement]
    assert passed == [True, True, True, False, False, False]
