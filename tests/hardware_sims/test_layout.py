from collections import Counter, defaultdict
from ipaddress import IPv4Address, IPv4Network

import pytest

from hardware_sims.layout import LayoutOrder, draw_up
from hardware_sims.model import model_named
from hardware_sims.site_file import site_toml, write_site
from shared.errors import SettingInvalid
from shared.site import SafetyLimits, load_site, site_problems

SIZES = [(1, 1), (7, 3), (200, 2), (1500, 4)]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]} in {size[1]}")
def site(request):
    miners, containers = request.param
    return draw_up(LayoutOrder(miners=miners, containers=containers))


def test_a_drawn_site_is_written_and_read_back_the_same(site, tmp_path):
    write_site(tmp_path / "deep" / "site.toml", site)
    assert load_site(tmp_path / "deep" / "site.toml") == site
    assert not list(site_problems(site))


def test_no_feeder_is_overloaded_in_normal_mode(site):
    load_w: dict[str, float] = defaultdict(float)
    feeders = {feeder.id: feeder for feeder in site.feeder}
    sources = [(placed.feeder, float(model_named(placed.model).modes["normal"])) for placed in site.placement]
    sources += [(feeder.id, float(feeder.unmetered_w)) for feeder in site.feeder]
    for feeder_id, power_w in sources:
        at: str | None = feeder_id
        while at is not None:
            load_w[at] += power_w
            at = feeders[at].parent
    for feeder in site.feeder:
        assert load_w[feeder.id] * 1.02 <= feeder.capacity_w, feeder.id


def test_addresses_are_distinct_and_miners_stand_in_the_ranges(site):
    ranges = [IPv4Network(text) for text in site.ranges]
    miners = [IPv4Address(placed.address) for placed in site.placement]
    others = {instrument.address for instrument in (*site.meter, *site.pdu)}
    assert len(set(miners)) == len(miners)
    assert all(any(address in block for block in ranges) for address in miners)
    assert not any(IPv4Address(address) in block for address in others for block in ranges)
    assert len({pdu.address for pdu in site.pdu}) == len(site.pdu)


def test_every_outlet_holds_one_machine_and_every_meter_measures_one_feeder(site):
    plugs = [(placed.pdu, placed.outlet) for placed in site.placement]
    assert len(set(plugs)) == len(plugs)
    places = [(placed.container, placed.rack, placed.shelf, placed.slot) for placed in site.placement]
    assert len(set(places)) == len(places)
    measured = Counter(feeder.meter for feeder in site.feeder if feeder.meter)
    assert measured == Counter(meter.id for meter in site.meter)


def test_small_machines_hang_on_shelly_shelves():
    site = draw_up(LayoutOrder(miners=9, mix={"BitAxe Gamma": 1}))
    assert {pdu.profile for pdu in site.pdu} == {"shelly.gen2"}
    assert len(site.pdu) == 3
    assert {feeder.phase for feeder in site.feeder if feeder.kind == "pdu"} == {"L1", "L2", "L3"}


def test_container_meters_share_a_gateway():
    site = draw_up(LayoutOrder(miners=40, containers=2))
    meters = {meter.id: meter for meter in site.meter}
    assert meters["meter-c1"].address == meters["meter-c2"].address
    assert (meters["meter-c1"].unit, meters["meter-c2"].unit) == (1, 2)


def test_the_mix_is_kept_by_largest_remainder():
    site = draw_up(LayoutOrder(miners=10, mix={"Antminer S21": 2, "M60S": 1}))
    assert Counter(placed.model for placed in site.placement) == {"Antminer S21": 7, "M60S": 3}


def test_ports_are_written_where_they_are_not_standard():
    site = draw_up(LayoutOrder(miners=4, http_port=10_080, modbus_port=10_502))
    assert {pdu.port for pdu in site.pdu} == {10_080}
    assert {meter.port for meter in site.meter} == {10_502}


def test_another_seed_gives_other_macs():
    first, second = (draw_up(LayoutOrder(miners=5, seed=seed)) for seed in (1, 2))
    assert not {p.mac for p in first.placement} & {p.mac for p in second.placement}


@pytest.mark.parametrize(
    ("order", "match"),
    [
        (LayoutOrder(miners=2, containers=3), "give each container a miner"),
        (LayoutOrder(miners=5, containers=0), "give each container a miner"),
        (LayoutOrder(miners=5, mix={"Antminer S99": 1}), "cannot be simulated"),
        (LayoutOrder(miners=5, mix={"M60S": -1, "Antminer S21": 2}), "weights"),
        (LayoutOrder(miners=5, mix={}), "weights"),
        (LayoutOrder(miners=600, network=IPv4Network("127.1.0.0/24")), "addresses"),
        (LayoutOrder(miners=5, network=IPv4Network("10.0.0.0/16")), "127.0.0.0/8"),
    ],
)
def test_what_cannot_be_built_is_refused(order, match):
    with pytest.raises(SettingInvalid, match=match):
        draw_up(order)


def test_tables_are_written_too():
    site = draw_up(LayoutOrder(miners=1))
    text = site_toml(type(site)(id="x", name='quo"te', feeder=site.feeder, safety=SafetyLimits(inlet_max_c=38.5)))
    assert "[safety]\ninlet_max_c = 38.5\n" in text
    assert 'name = "quo\\"te"' in text
