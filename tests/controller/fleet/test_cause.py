from msgspec.structs import replace

from controller.fleet import Alarm, ElectricalTree, grouped
from shared.site import Site, miner_id


def silent(site: Site, *numbers: int, code: str = "device.silent", priority: int = 2) -> list[Alarm]:
    return [
        Alarm(
            site="tx1",
            code=code,
            subject=miner_id(site.placement[n].mac),
            node="n1",
            priority=priority,
            text="",
            raised_at_ms=n,
            last_at_ms=n,
        )
        for n in numbers
    ]


def summary(groups) -> list[tuple[str, str, int, int]]:
    return [(group.kind, group.cause, len(group.members), group.of) for group in groups]


def test_a_whole_feeder_is_one_alarm(site: Site) -> None:
    tree = ElectricalTree(site)
    assert summary(grouped(silent(site, 0, 1, 2, 3, 4), tree)) == [("feeder", "f0", 5, 5)]
    assert summary(grouped(silent(site, 5, 6, 7, 8), tree)) == [("feeder", "f1", 4, 5)]


def test_the_highest_feeder_that_explains_it_is_the_cause(site: Site) -> None:
    assert summary(grouped(silent(site, *range(18)), ElectricalTree(site))) == [("feeder", "main", 18, 20)]


def test_a_container_is_the_cause_where_no_feeder_is(site: Site) -> None:
    crossed = replace(
        site, placement=tuple(replace(placed, feeder=f"f{n % 4}") for n, placed in enumerate(site.placement))
    )
    assert summary(grouped(silent(crossed, *range(10)), ElectricalTree(crossed))) == [("container", "c0", 10, 10)]


def test_few_stay_alone_and_codes_do_not_mix(site: Site) -> None:
    tree = ElectricalTree(site)
    groups = grouped([*silent(site, 0, 1), *silent(site, 2, 3, code="device.fault", priority=1)], tree)
    assert [kind for kind, *_ in summary(groups)] == ["device"] * 4
    assert [group.priority for group in groups] == [1, 1, 2, 2]


def test_every_alarm_stands_in_exactly_one_group(site: Site) -> None:
    alarms = silent(site, 0, 1, 2, 3, 4, 7, 11, 13)
    members = [member for group in grouped(alarms, ElectricalTree(site)) for member in group.members]
    assert sorted(member.subject for member in members) == sorted(alarm.subject for alarm in alarms)


def test_without_a_site_nothing_is_grouped(site: Site) -> None:
    assert len(grouped(silent(site, *range(5)), None)) == 5
