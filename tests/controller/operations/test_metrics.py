"""What a Prometheus server is told: the same figures as the pages show, and nothing where nothing is known."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from nacl.signing import SigningKey
from prometheus_client.parser import text_string_to_metric_families

from controller.api import build
from controller.gateways.mqtt import MqttGateway
from controller.ingest import Audience, Ingest
from controller.journal import Commit, SideEffect
from controller.metrics import Exposition, Sources
from controller.people.model import Permission, Role
from controller.people.secret import Passwords
from controller.people.service import People
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.storage.sqlite.people import SqlitePeople
from shared.mqtt import MqttSettings
from tests.controller.operations.conftest import MINERS, NODE, PASSWORD, SITE, LiveSite

Lines = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def exposition(live: LiveSite) -> Exposition:
    gateway = MqttGateway(MqttSettings(), "controller", SigningKey.generate(), lambda _message: None, [SITE])
    ingest = Ingest(live.store, gateway, Audience())
    ingest.counters.samples = 1_234
    ingest.counters.reject("wire.decode-failed")
    gateway.session.counters.lost = 3
    outbox = SqliteOutbox(live.journal._store)
    return Exposition(Sources(operations=live.ports, ingest=ingest, mqtt=gateway.session, waiting=outbox.waiting))


async def lines(exposition: Exposition) -> Lines:
    text = (await exposition.text()).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_figures_are_those_of_the_pages(live: LiveSite, exposition: Exposition):
    await live.dispatch.cycle("test")
    await live.raise_alarms(MINERS[0])
    live.machines[MINERS[1]].sleep()
    live.report()
    found = await lines(exposition)
    assert found["bes_ingest_samples_total", ()] == 1_234
    assert found["bes_ingest_rejected_total", ("wire.decode-failed",)] == 1
    assert found["bes_mqtt_lost_total", ()] == 3
    assert found["bes_site_power_w", (SITE,)] == live.load_w()
    assert found["bes_fleet_miners", (SITE, "asleep")] == 1
    assert sum(value for (name, _), value in found.items() if name == "bes_fleet_miners") == len(MINERS)
    assert found["bes_alarms", ("3", SITE)] == 1
    assert found["bes_dispatch_solve_ms", (SITE,)] >= 0
    assert found["bes_dispatch_gap_pct", (SITE,)] >= 0
    assert found["bes_node_connected", (NODE, SITE)] == 1
    assert found["bes_node_gaps", (NODE, SITE)] == 0
    assert found["process_resident_memory_bytes", ()] > 0


async def test_what_nobody_knows_has_no_line(live: LiveSite, exposition: Exposition):
    live.meters_silent = True
    live.report(after_ms=60_000)
    found = await lines(exposition)
    assert ("bes_site_power_w", (SITE,)) not in found
    assert ("bes_dispatch_gap_pct", (SITE,)) not in found


async def test_effects_that_wait_are_counted(live: LiveSite, exposition: Exposition):
    before = (await lines(exposition))["bes_outbox_waiting", ()]
    await live.journal.commit(Commit(effects=(SideEffect("k-1", "other", "lane", b"x"),)))
    assert (await lines(exposition))["bes_outbox_waiting", ()] == before + 1


@pytest.fixture
async def client(live: LiveSite, exposition: Exposition, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Of a program with a token that may view."""
    async with SqlitePeople(tmp_path / "people.db") as store:
        people = People(store, live.clock, passwords=Passwords(time_cost=1, memory_kib=64, parallelism=1))
        await people.add_user("ada", PASSWORD, Role.ADMIN, one_time=False)
        await people.start()
        admin = people.actor((await people.sign_in("ada", PASSWORD, "here")).session.id)
        secret, _ = await people.issue_token("prometheus", Permission.VIEW, admin)
        transport = httpx.ASGITransport(build(live.ports, people, metrics=exposition))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://bes.test", headers=headers) as made:
            yield made


async def test_a_token_that_may_view_opens_it_and_nothing_else_does(client: httpx.AsyncClient):
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"bes_site_power_w" in answer.content
    for bearer in ("", "Bearer wrong"):
        refused = await client.get("/metrics", headers={"authorization": bearer})
        assert (refused.status_code, refused.json()["code"]) == (401, "access.sign-in-required")
