import sqlite3

import msgspec
import pytest

from controller.fleet import AlarmDesk, FleetService, RecordIdentity
from controller.storage.sqlite.relations import SqliteRelations
from shared.errors import Corrupt, Denied, StorageUnavailable
from shared.site import Site
from shared.wire.event import DeviceRecord, Event, EventBatch, Inventory
from shared.wire.record import Gap, Hello


def record(seq: int, epoch: str = "e1") -> RecordIdentity:
    return RecordIdentity(epoch, seq)


def miner(name: str, firmware: str = "1") -> DeviceRecord:
    return DeviceRecord(
        device_id=name, kind="miner", family="x", firmware=firmware, curve=((1000, 30.0), (3000, 100.0))
    )


def event(active: bool = True, *, severity: int = 2, at_ms: int = 1, code: str = "device.silent") -> EventBatch:
    return EventBatch(
        events=(Event(at_ms=at_ms, code=code, subject="m-1", severity=severity, text="t", active=active),)
    )


END = (2**62, "")
HELLO = Hello(
    version=1, epoch="e1", lowest_seq=1, highest_seq=9, rows=9, boot_id="b", role="site", software="1", sent_at_ms=5
)


async def test_inventory_makes_site_devices_and_tree(fleet, site: Site) -> None:
    await fleet.service.handle_inventory("tx1", "n1", Inventory(site=site, devices=(miner("m-1"),)), record(1))
    device = fleet.service.device("tx1", "m-1")
    assert device is not None
    assert (device.node, device.max_power_w) == ("n1", 3000)
    assert fleet.service.device("tx1", "m-2") is None
    assert fleet.service.site("tx1") == site
    assert fleet.service.sites() == (site,)
    assert fleet.service.tree("tx1").path("f0") == ("main", "f0")
    assert list(fleet.service.devices("tx1")) == ["m-1"]
    assert fleet.service.revision == 1


async def test_an_unknown_site_is_refused_by_name(fleet) -> None:
    with pytest.raises(Denied) as denied:
        fleet.service.tree("nowhere")
    assert denied.value.rule == "fleet.unknown-site"


async def test_a_record_counts_once_and_an_older_one_changes_no_device(fleet) -> None:
    await fleet.service.handle_inventory("tx1", "n1", Inventory(devices=(miner("m-1", "2"),)), record(5))
    await fleet.service.handle_inventory("tx1", "n1", Inventory(devices=(miner("m-1", "9"),)), record(5))
    await fleet.service.handle_inventory("tx1", "n1", Inventory(devices=(miner("m-1", "1"),)), record(4))
    assert fleet.service.device("tx1", "m-1").record.firmware == "2"
    await fleet.service.handle_inventory("tx1", "n1", Inventory(devices=(miner("m-1", "3"),)), record(1, "e2"))
    assert fleet.service.device("tx1", "m-1").record.firmware == "3"


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"id": "other"}, "fleet.site-mismatch"), ({"feeder": ()}, "fleet.site-invalid")],
)
async def test_a_bad_site_is_an_alarm_and_the_old_one_stays(fleet, site: Site, change: dict, rule: str) -> None:
    await fleet.service.handle_inventory("tx1", "n1", Inventory(site=site), record(1))
    bad = msgspec.structs.replace(site, **change)
    await fleet.service.handle_inventory("tx1", "n1", Inventory(site=bad, devices=(miner("m-1"),)), record(2))
    assert fleet.service.site("tx1") == site
    assert fleet.service.device("tx1", "m-1") is not None
    [alarm] = fleet.desk.standing("tx1")
    assert alarm.code == "inventory.site-refused"
    assert rule in alarm.text
    await fleet.service.handle_inventory("tx1", "n1", Inventory(site=site), record(3))
    assert fleet.desk.standing("tx1")[0].phase == "cleared"


async def test_everything_is_there_after_a_restart(fleet, site: Site, path, clock) -> None:
    await fleet.service.handle_hello("tx1", "n1", HELLO)
    await fleet.service.handle_inventory("tx1", "n1", Inventory(site=site, devices=(miner("m-1"),)), record(1))
    await fleet.service.handle_events("tx1", "n1", event(), record(2))
    async with SqliteRelations(path) as store:
        desk = AlarmDesk(store, fleet.witness, clock)
        again = FleetService(store, desk, clock)
        await again.restore()
        assert again.site("tx1") == site
        assert again.device("tx1", "m-1") == fleet.service.device("tx1", "m-1")
        assert again.nodes("tx1") == fleet.service.nodes("tx1")
        assert desk.standing("tx1") == fleet.desk.standing("tx1")
        await again.handle_events("tx1", "n1", event(at_ms=99), record(2))
        assert desk.standing("tx1")[0].last_at_ms == 1


async def test_nodes_keep_contact_and_gaps_over_a_hello(fleet, clock) -> None:
    gap = Gap(epoch="e1", from_seq=3, to_seq=4, samples=7, reason="retention", first_ms=1, last_ms=2)
    await fleet.service.handle_gap("tx1", "n1", gap, record(1))
    await fleet.service.handle_hello("tx1", "n1", HELLO)
    await fleet.service.handle_gap("tx1", "n1", gap, record(2))
    await fleet.service.handle_gap("tx1", "n1", gap, record(2))
    clock.ms += 5_000
    fleet.service.contact("tx1", "n1")
    fleet.service.contact("tx1", "stranger")
    [node] = fleet.service.nodes("tx1")
    assert (node.gaps, node.last_gap_ms, node.last_contact_ms - node.hello_at_ms) == (1, 2, 5_000)
    await fleet.service.handle_hello("tx1", "n1", HELLO)
    assert fleet.service.nodes("tx1")[0].gaps == 1


async def test_the_life_of_an_alarm(fleet, clock) -> None:
    handle = fleet.service.handle_events
    await handle("tx1", "n1", event(), record(1))
    [alarm] = fleet.desk.standing("tx1")
    assert alarm.phase == "new"
    clock.ms += 10
    [acknowledged] = await fleet.desk.acknowledge(alarm.alarm_id, by="ann")
    assert (acknowledged.phase, acknowledged.acknowledged_by) == ("acknowledged", "ann")
    [(stream, name, _, actor)] = fleet.witness.noted
    assert (stream, name, actor) == (f"alarm/{alarm.alarm_id}", "AlarmAcknowledged", "ann")
    await handle("tx1", "n1", event(active=False), record(2))
    assert fleet.desk.standing("tx1") == []
    assert [closed.phase for closed in await fleet.past.alarms("tx1", 0, END, 10)] == ["closed"]


async def test_a_cleared_alarm_stands_until_seen_and_counts_its_returns(fleet) -> None:
    handle = fleet.service.handle_events
    await handle("tx1", "n1", event(), record(1))
    await handle("tx1", "n1", event(active=False), record(2))
    [alarm] = fleet.desk.standing("tx1")
    assert alarm.phase == "cleared"
    await handle("tx1", "n1", event(at_ms=3), record(3))
    [alarm] = fleet.desk.standing("tx1")
    assert (alarm.phase, alarm.occurrences) == ("new", 2)
    await handle("tx1", "n1", event(active=False), record(4))
    await fleet.desk.acknowledge(alarm.alarm_id, by="ann")
    assert fleet.desk.standing("tx1") == []


async def test_an_alarm_that_comes_back_must_be_acknowledged_again(fleet) -> None:
    handle = fleet.service.handle_events
    await handle("tx1", "n1", event(), record(1))
    [alarm] = fleet.desk.standing("tx1")
    await fleet.desk.acknowledge(alarm.alarm_id, by="ann")
    both = EventBatch(events=event(active=False).events + event(at_ms=9).events)
    await handle("tx1", "n1", both, record(2))
    [again] = fleet.desk.standing("tx1")
    assert (again.phase, again.raised_at_ms, again.acknowledged_by) == ("new", 9, "")
    assert [past.phase for past in await fleet.past.alarms("tx1", 0, END, 10)] == ["new", "closed"]


async def test_repeated_news_changes_text_and_priority_only(fleet) -> None:
    await fleet.service.handle_events("tx1", "n1", event(), record(1))
    await fleet.service.handle_events("tx1", "n1", event(severity=1, at_ms=4), record(2))
    [alarm] = fleet.desk.standing("tx1")
    assert (alarm.priority, alarm.raised_at_ms, alarm.last_at_ms, alarm.occurrences) == (1, 1, 4, 1)


async def test_notices_are_kept_and_need_nobody(fleet) -> None:
    await fleet.service.handle_events("tx1", "n1", event(severity=0, code="firmware.changed"), record(1))
    await fleet.service.handle_events("tx1", "n1", event(active=False, code="never.raised"), record(2))
    assert fleet.desk.standing("tx1") == []
    assert [notice.code for _, notice in await fleet.past.notices("tx1", 0, (10, 0), 10)] == ["firmware.changed"]


async def test_a_shelved_alarm_returns_by_itself(fleet, clock) -> None:
    await fleet.service.handle_events("tx1", "n1", event(), record(1))
    [alarm] = fleet.desk.standing("tx1")
    await fleet.desk.shelve(alarm.alarm_id, for_s=60, reason="fan ordered", by="ann")
    assert fleet.desk.standing("tx1") == []
    assert fleet.desk.shelved("tx1")[0].shelf.reason == "fan ordered"
    clock.ms += 60_000
    assert fleet.desk.standing("tx1")[0].alarm_id == alarm.alarm_id
    assert fleet.desk.shelved("tx1") == []


async def test_what_people_may_not_do_with_alarms(fleet) -> None:
    await fleet.service.handle_events("tx1", "n1", event(), record(1))
    [alarm] = fleet.desk.standing("tx1")

    async def refused(call) -> str:
        with pytest.raises(Denied) as denied:
            await call
        return denied.value.rule

    desk, known = fleet.desk, alarm.alarm_id
    assert await refused(desk.shelve(known, for_s=60, reason=" ", by="ann")) == "alarm.shelf-reason-missing"
    assert await refused(desk.shelve(known, for_s=90_000, reason="x", by="ann")) == "alarm.shelf-too-long"
    assert await refused(desk.acknowledge("tx1:none:m-1", by="ann")) == "alarm.unknown"
    await desk.acknowledge(known, by="ann")
    assert await refused(desk.acknowledge(known, by="bob")) == "alarm.already-acknowledged"


async def test_a_damaged_row_is_corrupt(fleet, path) -> None:
    await fleet.service.handle_hello("tx1", "n1", HELLO)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE node SET body = x'c1'")
    connection.close()
    with pytest.raises(Corrupt, match="Node"):
        await fleet.store.load()


async def test_a_closed_store_says_so(path) -> None:
    with pytest.raises(StorageUnavailable, match="not open"):
        await SqliteRelations(path).load()
