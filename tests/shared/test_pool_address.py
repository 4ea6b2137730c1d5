"""An allowed pool is a place, not the beginning of a text."""

import pytest

from shared.pool_address import PoolAddress, pool_address, pool_allowed
from shared.site import Feeder, SafetyLimits, Site, site_problems

ALLOWED = ("stratum+tcp://pool.example", "stratum+ssl://north.example:443")


@pytest.mark.parametrize(
    "url",
    [
        "stratum+tcp://pool.example:3333",
        "stratum+tcp://POOL.example:25",
        "stratum+tcp://pool.example.:3333",
        "stratum+tcp://pool.example:3333/path",
        "stratum+ssl://north.example:443",
    ],
)
def test_a_pool_of_the_list_is_allowed(url: str):
    assert pool_allowed(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "stratum+tcp://pool.example.thief.com:3333",
        "stratum+tcp://pool.example@thief.com:3333",
        "stratum+tcp://pool.example:3333@thief.com:1",
        "stratum+tcp://pool.example:3333.thief.com:1",
        "stratum+tcp://pool.examples:3333",
        "stratum+tcp://a.pool.example:3333",
        "stratum+ssl://pool.example:3333",
        "stratum+ssl://north.example:4430",
        "stratum+ssl://north.example",
        "stratum+tcp://pool.example:99999",
        "stratum+tcp://pool.example:3333 stratum+tcp://thief.com:1",
        "pool.example:3333",
        "",
    ],
)
def test_what_only_looks_like_it_is_not(url: str):
    assert not pool_allowed(url, ALLOWED)


def test_without_a_list_every_pool_is_allowed():
    assert pool_allowed("stratum+tcp://anywhere.example:1", ())


def test_an_address_of_version_six_keeps_its_brackets():
    assert pool_address("stratum+tcp://[2001:DB8::1]:3333") == PoolAddress("stratum+tcp", "[2001:db8::1]", 3333)


@pytest.mark.parametrize("entry", ["pool.example", "stratum+tcp://", "http://pool.example"])
def test_an_entry_that_would_match_nothing_or_too_much_is_named(entry: str):
    site = Site(
        id="a",
        name="A",
        feeder=(Feeder(id="f", kind="site", limit_w=1),),
        safety=SafetyLimits(allowed_pools=(entry,)),
    )
    assert any("allowed_pools" in problem for problem in site_problems(site))
