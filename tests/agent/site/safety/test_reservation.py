"""Room stays promised until it is drawn: no feeder is overbooked by waking in waves."""

import msgspec
import pytest

from agent.site.devices.image import OutletSample, ProcessImage
from agent.site.safety import Interlocks
from agent.site.safety.load import measured_w
from shared.actions import Sleep, Wake
from shared.site import Site, miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, small_site

START_MS = 1_700_000_000_000
FIRST, SAME_LEG, OTHER_LEG = (miner_id(mac(i)) for i in (0, 3, 1))
MAX_W = 3_500
RAMP_S = 600.0


def asleep():
    return good_reading(OpState.SLEEPING, power_w=25.0)


def starting(power_w: float):
    return good_reading(OpState.STARTING, power_w=power_w)


def image(second: float, first=None, **options: object) -> ProcessImage:
    """Everything sleeps but the first machine, at `second`; site and legs as in `small_site`."""
    readings = {i: asleep() for i in range(6)} | ({} if first is None else {0: first})
    site = options.pop("site", None) or small_site(phase_imbalance_max_pct=100.0)
    options.setdefault("site_w", 300.0)
    return image_of(site, START_MS + int(second * 1000), readings, max_w=MAX_W, **options)


def on_an_outlet() -> Site:
    site = small_site(phase_imbalance_max_pct=100.0)
    placed = msgspec.structs.replace(site.placement[0], pdu="pdu-1", outlet=1)
    return msgspec.structs.replace(site, placement=(placed, *site.placement[1:]))


@pytest.fixture
def locks() -> Interlocks:
    """A leg carries 6,144 W: one machine of 3,500 W, not two."""
    return Interlocks(small_site(phase_imbalance_max_pct=100.0))


WAVES = (  # seconds after the first wake, what the first machine draws, may the second wake
    (1, asleep(), False),
    (20, starting(290.0), False),
    (60, starting(1_400.0), False),  # its first hash has confirmed the wake
    (150, starting(2_600.0), False),
    (240, starting(3_100.0), False),
    (300, good_reading(power_w=3_400.0), False),  # drawn: the leg itself is full now
)


@pytest.mark.parametrize(("second", "first", "passes"), WAVES)
def test_a_second_wave_never_gets_the_room_of_the_first(locks, second, first, passes):
    locks.observe(image(0))
    assert locks.admit(FIRST, Wake()) is None
    for step in range(second + 1):
        locks.observe(image(step, first if step == second else asleep()))
    refusal = locks.admit(SAME_LEG, Wake())
    assert (refusal is None) is passes
    assert refusal is None or refusal.rule == "interlock.feeder-full"
    assert locks.admit(OTHER_LEG, Wake()) is None, "a leg of its own"


def test_a_machine_that_never_draws_gives_its_room_back_after_its_ramp(locks):
    locks.observe(image(0))
    assert locks.admit(FIRST, Wake()) is None
    locks.observe(image(RAMP_S - 1))
    assert locks.admit(SAME_LEG, Wake()) is not None
    locks.observe(image(RAMP_S))
    assert locks.admit(SAME_LEG, Wake()) is None


def test_an_order_that_the_device_refused_gives_back_at_once_and_only_its_own(locks):
    locks.observe(image(0))
    assert locks.admit(FIRST, Wake()) is None
    locks.withdraw(FIRST, Sleep())
    assert locks.admit(SAME_LEG, Wake()) is not None
    locks.withdraw(FIRST, Wake())
    assert locks.admit(SAME_LEG, Wake()) is None


def test_a_machine_that_was_put_to_rest_again_needs_no_room(locks):
    locks.observe(image(0))
    assert locks.admit(FIRST, Wake()) is None
    locks.rests(FIRST)
    assert locks.admit(SAME_LEG, Wake()) is None


def test_the_same_wake_again_needs_no_room_twice(locks):
    locks.observe(image(0))
    assert [locks.admit(FIRST, Wake()) for _ in range(3)] == [None] * 3


def test_a_machine_that_starts_by_itself_is_budgeted_at_what_it_may_reach(locks):
    """After a power cut, a reboot or a restart of the agent nobody here has ordered anything."""
    locks.observe(image(0, starting(290.0)))
    refusal = locks.admit(SAME_LEG, Wake())
    assert refusal is not None
    assert refusal.rule == "interlock.feeder-full"


def test_behind_a_meter_only_what_is_surely_drawn_is_taken_off_the_promise():
    """The site's meter says 300 W whatever the machines say: room for one more, not for two."""
    site = small_site(phase_imbalance_max_pct=100.0)
    site = msgspec.structs.replace(
        site, feeder=(msgspec.structs.replace(site.feeder[0], limit_w=5_000), *site.feeder[1:])
    )
    locks = Interlocks(site)
    locks.observe(image(0, site=site))
    assert locks.admit(FIRST, Wake()) is None
    locks.observe(image(5, good_reading(OpState.UNKNOWN), site=site))
    refusal = locks.admit(OTHER_LEG, Wake())
    assert refusal is not None
    assert "tx1-main" in refusal.detail


AT_REST_SINCE = (  # when the sample was taken, what the machine counts for
    (-1.0, 25.0),
    (1.0, 3_450.0),
)


@pytest.mark.parametrize(("sampled", "counts_w"), AT_REST_SINCE)
def test_watts_from_before_it_came_to_rest_count_no_longer(sampled, counts_w):
    taken = image(0, site=on_an_outlet())
    state = msgspec.structs.replace(taken.miners[FIRST], since_s=taken.sampled_s)
    samples = {("pdu-1", 1): (OutletSample(taken.sampled_s + sampled, 3_450.0),)}
    taken = msgspec.structs.replace(taken, miners={**taken.miners, FIRST: state}, outlets=samples)
    assert measured_w(state, taken) == counts_w


def test_the_outlet_tells_that_the_draw_has_arrived():
    """The machine itself reports no watts: its outlet ends the promise, long before its ramp is over."""
    site = on_an_outlet()
    locks = Interlocks(site)
    mute = good_reading(OpState.HASHING)
    promised = []
    for second, outlet_w in ((0.0, 26.0), (30.0, 1_400.0), (60.0, 3_300.0)):
        taken = image(second, asleep() if second == 0 else mute, site=site)
        samples = {("pdu-1", 1): (OutletSample(taken.sampled_s, outlet_w),)}
        locks.observe(msgspec.structs.replace(taken, outlets=samples))
        if second == 0:
            assert locks.admit(FIRST, Wake()) is None
        promised.append(round(locks.promised_w().get("leg1", 0.0)))
    assert promised == [MAX_W - 26, MAX_W - 1_400, 0]
