"""What the API answers about sites, and what it lets be ordered."""

import struct

import httpx
import pytest
from fastapi import FastAPI

from controller.api.failure import ANSWERS, answer_of
from shared import errors
from tests.controller.api.conftest import Enter

SITE = "/api/v1/sites/west-1"
READS = (
    "summary",
    "miners",
    "map",
    "map/layout",
    "series?subject=west-1&field=power_w",
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
    "miners/m-02de00000001",
    "miners/m-02de00000001/boards",
    "miners/m-02de00000001/explanation",
)


@pytest.mark.parametrize("path", READS)
async def test_every_read_answers_and_is_never_kept(enter: Enter, path: str) -> None:
    client = await enter("vera")
    answer = await client.get(f"{SITE}/{path}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    other = await client.get(f"/api/v1/sites/nowhere/{path}")
    assert (other.status_code, other.json()["code"]) == (404, "request.not-found")


async def test_the_same_question_gives_the_same_number(enter: Enter) -> None:
    client = await enter("vera")
    summary = (await client.get(f"{SITE}/summary")).json()
    for word, count in summary["conditions"].items():
        page = (await client.get(f"{SITE}/miners", params={"q": f"state:{word}", "limit": 1000})).json()
        assert page["snapshot"] == summary["snapshot"]
        assert page["total"] == len(page["rows"]) == count
    raw = (await client.get(f"{SITE}/map")).content
    assert struct.unpack_from("<I", raw, 8) == (summary["miners"],)


async def test_pages_and_queries_are_bounded(enter: Enter) -> None:
    client = await enter("vera")
    page = (await client.get(f"{SITE}/miners", params={"sort": "-power_w", "offset": 190, "limit": 50})).json()
    assert (page["total"], len(page["rows"])) == (200, 10)
    for params in ({"limit": 5000}, {"offset": -1}, {"q": "colour:red"}, {"sort": "colour"}, {"q": "x" * 501}):
        answer = await client.get(f"{SITE}/miners", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")
    answer = await client.get(f"{SITE}/series", params={"subject": "x", "field": "power_w", "from_ms": 5, "to_ms": 1})
    assert answer.status_code == 400


async def test_a_command_is_previewed_issued_and_followed(enter: Enter) -> None:
    client = await enter("anna")
    order = {
        "verb": "set_power_limit",
        "parameters": {"limit_w": 2800},
        "query": "-container:c03",
        "reason": "heat wave",
    }
    preview = (await client.post(f"{SITE}/commands/preview", json=order)).json()
    assert preview["confirm"] == str(preview["included"])
    for typed in ("", str(preview["included"] + 1), "yes"):
        refused = await client.post(f"{SITE}/commands", json=order | {"confirm": typed})
        assert (refused.status_code, refused.json()["rule"]) == (409, "command.not-confirmed")
    assert (await client.get(f"{SITE}/commands")).json()["total"] == 0
    issued = await client.post(f"{SITE}/commands", json=order | {"confirm": preview["confirm"]})
    assert issued.status_code == 201
    assert issued.json()["devices"] == preview["included"]
    detail = (await client.get(f"/api/v1/commands/{issued.json()['id']}")).json()
    assert len(detail["outcomes"]) == preview["included"]
    assert (await client.get(f"{SITE}/commands")).json()["total"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "explode"},
        {"parameters": {}},
        {"parameters": {"limit_w": "much"}},
        {"parameters": {"limit_w": 1, "more": 2}},
        {"device_ids": ["m-1"]},
        {"query": None},
        {"reason": ""},
    ],
)
async def test_a_command_that_is_not_clear_is_refused(enter: Enter, change: dict[str, object]) -> None:
    client = await enter("anna")
    order = {
        "verb": "set_power_limit",
        "parameters": {"limit_w": 2800},
        "query": "container:c02",
        "reason": "heat wave",
    }
    answer = await client.post(f"{SITE}/commands", json=order | change)
    assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed") or answer.json()[
        "code"
    ] == "wire.decode-failed"


async def test_pools_are_given_as_objects(enter: Enter) -> None:
    client = await enter("anna")
    pools = [{"url": "stratum+tcp://pool.example:3333", "user": "u"}]
    order = {
        "verb": "set_pools",
        "parameters": {"pools": pools},
        "device_ids": ["m-02de00000040"],
        "reason": "new pool",
    }
    assert (await client.post(f"{SITE}/commands", json=order)).status_code == 201


async def test_a_curtailment_runs_from_preview_to_restore(enter: Enter) -> None:
    client = await enter("anna")
    preview = (await client.post(f"{SITE}/curtailments/preview", json={"reduction_w": 50_000})).json()
    assert preview["reduction_w"] == 50_000
    assert preview["excluded"]
    start = {"preview_id": preview["id"], "reason": "price spike", "confirm": preview["confirm"]}
    started = (await client.post(f"{SITE}/curtailments", json=start)).json()
    assert started["phase"] == "shedding"
    again = await client.post(f"{SITE}/curtailments", json=start)
    assert (again.status_code, again.json()["code"]) == (410, "wire.expired")
    ended = await client.post(f"/api/v1/curtailments/{started['id']}/end", json={"reason": "price is back"})
    assert ended.json()["phase"] == "restoring"


async def test_the_person_who_asks_cannot_approve(enter: Enter) -> None:
    anna, otto = await enter("anna"), await enter("otto")
    curtailments = f"{SITE}/curtailments"
    preview = (await anna.post(curtailments + "/preview", json={"reduction_w": None})).json()
    fits = preview["second_person"] is False  # a small site needs nobody else
    start = {"preview_id": preview["id"], "reason": "drill", "confirm": preview["confirm"]}
    started = (await anna.post(curtailments, json=start)).json()
    assert fits
    answer = await anna.post(f"/api/v1/curtailments/{started['id']}/approval")
    assert (answer.status_code, answer.json()["rule"]) == (409, "curtailment.same-person")
    assert (await otto.post(f"/api/v1/curtailments/{started['id']}/approval")).json()["approved_by"] == "otto"


async def test_alarms_are_acknowledged_by_name_and_the_journal_is_paged(enter: Enter) -> None:
    client = await enter("anna")
    answer = (await client.post("/api/v1/alarms/a-1/acknowledgement")).json()
    assert answer["acknowledged_by"] == "anna"
    page = (await client.get("/api/v1/journal", params={"limit": 3})).json()
    following = (await client.get("/api/v1/journal", params={"limit": 3, "before": page["before"]})).json()
    assert following["entries"][0]["seq"] == page["entries"][-1]["seq"] - 1


async def test_the_description_is_complete_and_carries_units(app: FastAPI, enter: Enter) -> None:
    client = await enter()
    document = (await client.get("/api/v1/openapi.json")).json()
    schemas = document["components"]["schemas"]
    power = schemas["MinerRow"]["properties"]["power_w"]["anyOf"][0]
    assert power["x-unit"] == "W"
    assert set(document["paths"]) >= {f"/api/v1/{path}" for path in ("sites", "session", "journal", "tokens")}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            assert described["summary"], (path, method)
            assert described.get("description"), (path, method)
            answers = set(described["responses"])
            assert len(answers & {"200", "201", "204"}) == 1, (path, method)
            assert answers >= {"4XX", "5XX"}, (path, method)
            assert "422" not in answers, (path, method)
    known = {f"#/components/schemas/{name}" for name in schemas}
    assert set(_refs(document)) <= known


def _refs(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in _refs(value)]
    return [ref for item in node for ref in _refs(item)] if isinstance(node, list) else []


async def test_who_may_ask_stands_in_the_description(app: FastAPI, enter: Enter) -> None:
    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert (schemes["session"]["name"], schemes["token"]["scheme"]) == ("bes_session", "bearer")
    assert document["security"] == [{"session": []}, {"token": []}]
    stranger, opened = await enter(), []
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            answer = await stranger.request(method, path, json={"name": "nobody", "password": "x"})
            ends = method == "delete" and path == "/api/v1/session"  # there is nothing to end, which is what was wanted
            assert answer.status_code == (204 if ends else 401), (method, path)
            if described.get("security") == []:
                opened.append((method, path))
    assert opened == [("post", "/api/v1/session")]


async def test_unknown_paths_and_methods_speak_the_same_way(enter: Enter) -> None:
    client = await enter("anna")
    for answer in (await client.get("/api/v1/nothing"), await client.put(f"{SITE}/summary")):
        assert answer.status_code in (404, 405)
        assert answer.json()["mend"]


def test_every_error_of_the_tree_has_an_answer() -> None:
    def tree(kind: type[errors.BesError]) -> list[type[errors.BesError]]:
        children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
        return [kind] + [deeper for child in children for deeper in tree(child)]

    for kind in tree(errors.BesError):
        error = kind("rule", "detail") if issubclass(kind, errors.Denied) else kind("detail")
        answer = answer_of(error)
        assert 400 <= answer.status < 600
        assert answer.mend.endswith(".")
    assert ANSWERS[errors.BesError].status == 500


async def test_a_bug_of_ours_shows_a_reference_and_no_trace(app: FastAPI, enter: Enter) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("secret detail")

    app.add_api_route("/api/v1/broken", broken)
    client = await enter()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=str(client.base_url)) as calm:
        answer = await calm.get("/api/v1/broken")
    assert answer.status_code == 500
    assert "reference" in answer.json()["detail"]
    assert "secret detail" not in answer.text
