"""The site alone: which cap holds, and who is shed for it."""

from agent.site.autonomy.plan import Autonomy, PlanWindow
from agent.site.safety import Interlocks
from shared.site import miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, small_site

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def plan(**fields: object) -> PlanWindow:
    values: dict[str, object] = {
        "valid_from_ms": START_MS,
        "valid_until_ms": START_MS + 2 * HOUR_MS,
        "intervals": ((START_MS, None), (START_MS + HOUR_MS, 12_000)),
        "shed_order": tuple(miner_id(mac(i)) for i in (4, 2)),
        "fallback_cap_w": 9_000,
    }
    return PlanWindow(**(values | fields))


RULES = (  # t_ms after start, silent_s, has a plan, expected
    (0, 10.0, True, None),  # the controller leads
    (HOUR_MS, 10.0, True, None),
    (0, 61.0, True, None),  # alone, and the plan's interval has no cap
    (HOUR_MS, 61.0, True, ("autonomy.plan-cap", 12_000)),
    (2 * HOUR_MS, 61.0, True, ("autonomy.fallback-cap", 9_000)),
    (2 * HOUR_MS, 61.0, False, ("autonomy.fallback-cap", 15_000)),
    (-1, 61.0, True, ("autonomy.fallback-cap", 9_000)),  # before the plan begins
)


def test_which_cap_holds():
    autonomy = Autonomy(fallback_cap_w=15_000)
    for t_ms, silent_s, planned, expected in RULES:
        got = autonomy.rule_in_force(plan() if planned else None, silent_s, START_MS + t_ms)
        assert got == expected, (t_ms, silent_s)


def test_without_plan_and_fallback_nothing_limits():
    assert Autonomy(None).rule_in_force(None, 1e9, START_MS) is None


def decide(autonomy, site, t_ms, readings=None, site_w=18_000.0, silent_s=100.0, window=None):
    image = image_of(site, START_MS + t_ms, readings, site_w=site_w)
    locks = Interlocks(site)
    locks.observe(image)
    return autonomy.decide(image, locks.site_load_w(), window or plan(), silent_s, START_MS + t_ms)


def test_it_sheds_in_the_order_of_the_plan_and_then_waits_for_the_meter():
    site = small_site()
    autonomy = Autonomy(None)
    demands = decide(autonomy, site, HOUR_MS, site_w=17_000.0)
    assert [d.device_id for d in demands] == [miner_id(mac(4)), miner_id(mac(2))]
    assert {d.rule for d in demands} == {"autonomy.plan-cap"}
    assert decide(autonomy, site, HOUR_MS + 30_000, site_w=17_000.0) == []
    assert decide(autonomy, site, HOUR_MS + 91_000, site_w=17_000.0) != []


def test_it_sheds_enough_even_beyond_the_plans_list_and_skips_who_sleeps_already():
    site = small_site()
    sleeping = good_reading(OpState.SLEEPING, power_w=25.0)
    demands = decide(Autonomy(None), site, HOUR_MS, {4: sleeping}, site_w=21_000.0)
    ids = [d.device_id for d in demands]
    assert miner_id(mac(4)) not in ids
    assert ids[0] == miner_id(mac(2))
    assert len(ids) * 2_975 >= 9_000


def test_below_the_cap_it_does_nothing():
    assert decide(Autonomy(None), small_site(), HOUR_MS, site_w=11_000.0) == []
