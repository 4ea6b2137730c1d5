"""The API on the real services: what it answers over the fake site it answers over this one."""

import httpx

from tests.controller.operations.conftest import MINERS, SITE, LiveSite

BASE = f"/api/v1/sites/{SITE}"
READS = (
    "summary",
    "miners",
    "map",
    "map/layout",
    f"series?subject={SITE}&field=power_w",
    "dispatch",
    "nodes",
    "gaps",
    "energy",
    "feeders",
    "meters",
    "prices",
    "curtailments",
    "commands",
    "alarms",
    f"miners/{MINERS[0]}",
    f"miners/{MINERS[0]}/boards",
    f"miners/{MINERS[0]}/explanation",
)


async def test_every_read_answers_and_knows_what_does_not_exist(anna: httpx.AsyncClient):
    for path in READS:
        answer = await anna.get(f"{BASE}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        other = await anna.get(f"/api/v1/sites/nowhere/{path}")
        assert (other.status_code, other.json()["code"]) == (404, "request.not-found"), path


async def test_the_same_question_gives_the_same_number(anna: httpx.AsyncClient, live: LiveSite):
    live.machines[MINERS[0]].sleep()
    live.machines[MINERS[1]].hashrate_ths = 50.0
    live.report()
    summary = (await anna.get(f"{BASE}/summary")).json()
    assert summary["conditions"]["asleep"] == summary["conditions"]["far-below"] == 1
    for word, count in summary["conditions"].items():
        shown = (await anna.get(f"{BASE}/miners", params={"q": f"state:{word}", "limit": 1000})).json()
        assert shown["snapshot"] == summary["snapshot"]
        assert shown["total"] == count


async def test_a_command_is_previewed_issued_and_followed(anna: httpx.AsyncClient):
    wanted = {"verb": "set_power_limit", "parameters": {"limit_w": 2_500}, "query": "container:c2", "reason": "heat"}
    shown = (await anna.post(f"{BASE}/commands/preview", json=wanted)).json()
    assert (shown["included"], shown["power_change_w"]) == (20, -10_000.0)
    assert shown["confirm"] == "20"  # each counts with what it can draw at most
    issued = await anna.post(f"{BASE}/commands", json=wanted | {"confirm": "20"})
    assert (issued.status_code, issued.json()["devices"]) == (201, 20)
    detail = (await anna.get(f"/api/v1/commands/{issued.json()['id']}")).json()
    assert len(detail["outcomes"]) == 20
    assert (await anna.get(f"{BASE}/commands")).json()["total"] == 1


async def test_a_curtailment_runs_from_preview_to_restore(anna: httpx.AsyncClient):
    shown = (await anna.post(f"{BASE}/curtailments/preview", json={"reduction_w": 50_000})).json()
    assert shown["reduction_w"] == 50_000
    start = {"preview_id": shown["id"], "reason": "price spike", "confirm": shown["confirm"]}
    started = (await anna.post(f"{BASE}/curtailments", json=start)).json()
    assert started["phase"] == "shedding"
    again = await anna.post(f"{BASE}/curtailments", json=start)
    assert (again.status_code, again.json()["code"]) == (410, "wire.expired")
    same = await anna.post(f"/api/v1/curtailments/{started['id']}/approval")
    assert (same.status_code, same.json()["rule"]) == (409, "command.second-person-same")
    ended = await anna.post(f"/api/v1/curtailments/{started['id']}/end", json={"reason": "price is back"})
    assert ended.json()["phase"] == "restoring"


async def test_an_alarm_is_acknowledged_by_name(anna: httpx.AsyncClient, live: LiveSite):
    await live.raise_alarms(MINERS[0])
    live.clock.ms += 1_000
    (alarm,) = (await anna.get(f"{BASE}/alarms")).json()
    answer = await anna.post(f"/api/v1/alarms/{alarm['id']}/acknowledgement")
    assert answer.json()["acknowledged_by"] == "anna"
    (entry,) = (await anna.get("/api/v1/journal", params={"q": "AlarmAcknowledged"})).json()["entries"]
    assert entry["actor"] == "anna"
