"""What a site's file may not say, each with the place and the mend."""

import math

import msgspec
import pytest

from shared.errors import SettingInvalid
from shared.site import Feeder, Instrument, Placement, SafetyLimits, Site, load_site, site_problems


def placed(number: int, **fields: object) -> Placement:
    fields = {"pdu": "p1", "outlet": number} | fields
    return Placement(
        mac=f"02:00:00:00:00:{number:02x}", feeder="main", container="c1", rack=1, shelf=1, slot=number, **fields
    )


def site(*placement: Placement, limits: SafetyLimits = SafetyLimits(), **feeder: object) -> Site:  # noqa: B008 - frozen
    return Site(
        id="tx1",
        name="Test",
        feeder=(Feeder(id="main", kind="site", **feeder),),
        pdu=(Instrument(id="p1", profile="raritan.xerus", address="127.0.0.1"),),
        placement=placement,
        safety=limits,
    )


def test_a_sound_site_has_no_problems():
    assert not list(site_problems(site(placed(1), placed(2), rating_a=400, voltage_v=415, limit_w=200_000)))


FEEDERS = (
    ({"continuous_factor": 0.0}, "continuous_factor = 0.0"),
    ({"continuous_factor": 1.2}, "continuous_factor = 1.2"),
    ({"continuous_factor": math.nan}, "continuous_factor = nan"),
    ({"rating_a": -32.0, "voltage_v": 240.0}, "rating_a = -32.0"),
    ({"rating_a": 32.0, "voltage_v": 0.0}, "voltage_v = 0.0"),
    ({"rating_a": 32.0}, "needs both rating_a and voltage_v"),
    ({"limit_w": -1}, "limit_w = -1"),
    ({"unmetered_w": -500}, "unmetered_w = -500"),
    ({"phases": 2}, "2 phases"),
    ({"phase": "A"}, "phase 'A'"),
)


@pytest.mark.parametrize(("fields", "text"), FEEDERS, ids=[text for _, text in FEEDERS])
def test_a_feeders_figures(fields, text):
    problems = list(site_problems(site(**fields)))
    assert len(problems) == 1
    assert text in problems[0]
    assert "feeder 'main'" in problems[0]


LIMITS = (
    ({"chip_resume_c": 96.0}, "safety.chip_resume_c is 96.0"),
    ({"inlet_resume_c": 40.0}, "safety.inlet_resume_c is 40.0"),
    ({"chip_max_c": math.nan}, "safety.chip_max_c is nan"),
    ({"phase_imbalance_max_pct": 0.0}, "safety.phase_imbalance_max_pct is 0.0"),
    ({"max_orders_per_minute": -5}, "safety.max_orders_per_minute is -5"),
    ({"fallback_cap_w": -1}, "safety.fallback_cap_w is -1"),
)


@pytest.mark.parametrize(("fields", "text"), LIMITS, ids=[text for _, text in LIMITS])
def test_the_limits(fields, text):
    problems = list(site_problems(site(limits=SafetyLimits(**fields))))
    assert len(problems) == 1
    assert text in problems[0]


OUTLETS = (
    ((placed(1, pdu=None),), "on outlet 1 of no PDU"),
    ((placed(1, outlet=None),), "on no outlet of PDU 'p1'"),
    ((placed(1, outlet=0),), "outlets count from 1"),
    (tuple(placed(number, outlet=7) for number in range(1, 7)), "6 miners are on outlet 7 of PDU 'p1'"),
)


@pytest.mark.parametrize(("placement", "text"), OUTLETS, ids=[text for _, text in OUTLETS])
def test_plugs(placement, text):
    problems = list(site_problems(site(*placement)))
    assert len(problems) == 1
    assert text in problems[0]


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "site.toml"
    path.write_bytes(msgspec.toml.encode({"id": "tx1", "name": "", "feeder": [{"id": "a", "kind": "b", "limit_w": 0}]}))
    with pytest.raises(SettingInvalid, match=r"site\.toml: feeder 'a' has limit_w = 0"):
        load_site(path)
