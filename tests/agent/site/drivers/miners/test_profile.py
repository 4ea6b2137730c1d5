import hashlib

import pytest

from agent.site.devices.reading import DeviceIdentity
from agent.site.discovery.record import miner_record
from agent.site.drivers.miners import FAMILIES, load_miner_profile, miner_profiles
from agent.site.drivers.miners.profile import Firmware
from shared.errors import ProfileInvalid
from shared.profiles import folder
from shared.states import DeviceKind

SOURCE = """
[[sources]]
title = "test"
date = 2026-01-02
"""
GOOD = """
family = "x"
vendor = "V"
status = "unverified"
version_pattern = 'v(\\d+)'
model_pattern = '^(.+)$'
starting_grace_s = 1.0
process_restart_s = 1.0
sleep_w = 5
[confirm_within_s]
sleep = 10.0
[[firmware]]
name = "old"
source = "test"
until = "20"
[[firmware]]
name = "new"
source = "test"
since = "30"
[[sources]]
title = "test"
date = 2026-01-02
"""


def load(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text)
    return load_miner_profile(path)


def test_each_family_has_a_profile_and_each_profile_a_family():
    assert miner_profiles().keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_profile_builds_its_driver(family):
    driver = FAMILIES[family]("127.0.0.1", lambda port: port, None, miner_profiles()[family])
    assert driver.family == family
    assert driver.verbs <= miner_profiles()[family].verbs


def test_profiles_lie_where_the_wheel_takes_them():
    assert len(list((folder() / "miners").glob("*.toml"))) == len(FAMILIES)


def test_the_hash_is_that_of_the_file_and_stands_in_the_inventory():
    profile = miner_profiles()["axeos"]
    assert profile.sha256 == hashlib.sha256((folder() / "miners" / "axeos.toml").read_bytes()).hexdigest()
    identity = DeviceIdentity(kind=DeviceKind.MINER, family="axeos", vendor="", model="BM1370")
    record = miner_record("m-1", identity, "127.0.0.1", profile, frozenset(), None)
    assert record.profile_sha256 == profile.sha256


def test_version_ranges(tmp_path):
    profile = load(tmp_path, GOOD)
    names = {version: profile.firmware_of(version) for version in ("v19", "v20", "v30", "beta", "")}
    assert isinstance(names["v19"], Firmware)
    assert (names["v19"].name, names["v30"].name) == ("old", "new")
    assert names["v20"] is names["beta"] is names[""] is None


@pytest.mark.parametrize(
    ("model", "curve"),
    [
        ("Antminer S19 Pro", ((3250, 110.0),)),
        ("antminer s19 pro", ((3250, 110.0),)),
        ("Antminer S19j Pro (104T)", ((2970, 100.0),)),
        ("Antminer S19 Pro Hyd.", ()),
        ("Antminer S9", ()),
        ("", ()),
    ],
)
def test_a_curve_belongs_to_exactly_one_model(model, curve):
    assert miner_profiles()["antminer-stock"].curve(model) == curve


def test_curves_from_efficiency():
    profile = miner_profiles()["whatsminer-v2"]
    assert profile.curve("M50S++_VK30", 150.0) == ((3405, 150.0),)
    assert profile.curve("M50S++_VK30") == ()
    assert profile.curve("M50_VH10") == ((3422, 118.0),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("sleep_w = 5", "sleep_w = 5\nslep_w = 6"), "slep_w"),
        (("sleep = 10.0", "slumber = 10.0"), "slumber"),
        (("version_pattern = 'v(\\d+)'", "version_pattern = '('"), "regular expression"),
        (("model_pattern = '^(.+)$'", "model_pattern = '^.+$'"), "groups"),
        (('family = "x"', "family = "), "x.toml"),
        (("date = 2026-01-02", ""), "date"),
        (('[[sources]]\ntitle = "test"\ndate = 2026-01-02', ""), "sources"),
        (("sleep_w = 5", 'sleep_w = 5\nsha256 = "00"'), "computed"),
        (
            ('since = "30"', 'since = "30"\n[[ladder]]\nmodel = "m"\nsource = "s"\npoints = [[5, 1.0], [4, 2.0]]'),
            "rise",
        ),
    ],
)
def test_a_bad_profile_is_refused_by_name(tmp_path, change, said):
    assert change[0] in GOOD
    with pytest.raises(ProfileInvalid, match=said):
        load(tmp_path, GOOD.replace(*change))


def test_a_profile_needs_a_firmware(tmp_path):
    with pytest.raises(ProfileInvalid, match="firmware"):
        load(tmp_path, GOOD[: GOOD.index("[[firmware]]")].replace("[confirm", "firmware = []\n[confirm") + SOURCE)


def test_a_missing_profile(tmp_path):
    with pytest.raises(ProfileInvalid, match="nowhere"):
        load_miner_profile(tmp_path / "nowhere.toml")
