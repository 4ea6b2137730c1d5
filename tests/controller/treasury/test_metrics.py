"""What a scrape tells of node, payments and boxes."""

from controller.treasury.metrics import families
from tests.controller.treasury.conftest import ANNA, SITE, House


def lines(house: House) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families(house.treasury, house.clock.now_ms())
        for sample in family.samples
    }


async def test_calls_failures_and_the_pause_of_a_node_that_is_away(house: House) -> None:
    await house.treasury.node.tip()
    found = lines(house)
    assert found["bes_bitcoind_calls_total", ""] == 1
    assert (found["bes_bitcoind_failures_total", ""], found["bes_bitcoind_paused", ""]) == (0, 0)
    house.treasury.rpc.counters["failures"] += 3
    for _ in range(3):
        house.treasury.rpc._breaker.failed()
    found = lines(house)
    assert (found["bes_bitcoind_failures_total", ""], found["bes_bitcoind_paused", ""]) == (3, 1)


async def test_a_box_has_an_age_once_it_spoke(house: House) -> None:
    assert not [name for name, _ in lines(house) if name == "bes_box_silent_seconds"]
    await house.treasury.post.arrived(SITE, "anna", ANNA.report(3))
    house.clock.ms += 42_000
    found = lines(house)
    assert found["bes_box_silent_seconds", ANNA.box_id] == 42
    assert found["bes_payments", "signing"] == 0
