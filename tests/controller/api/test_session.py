"""Doors of the API: cookies, origins, roles, tokens, throttling."""

import httpx
import pytest

from tests.controller.api.conftest import PASSWORD, Enter

SUMMARY = "/api/v1/sites/west-1/summary"


async def code_of(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "detail", "mend", "retryable", "rule"}
    assert body["mend"]
    return answer.status_code, body["code"]


async def test_nothing_is_told_to_strangers(enter: Enter) -> None:
    client = await enter()
    assert await code_of(await client.get(SUMMARY)) == (401, "access.sign-in-required")
    assert await code_of(await client.get("/api/v1/sites")) == (401, "access.sign-in-required")


async def test_the_cookie_is_closed_and_signing_out_ends_it(enter: Enter) -> None:
    client = await enter()
    answer = await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    assert (await client.get("/api/v1/session")).json()["permissions"] == ["operate", "view"]
    stolen = dict(client.cookies)
    assert (await client.delete("/api/v1/session")).status_code == 204
    answer = await client.get(SUMMARY, headers={"cookie": f"bes_session={stolen['bes_session']}"})
    assert await code_of(answer) == (401, "access.sign-in-required")


async def test_orders_from_another_site_are_refused(enter: Enter) -> None:
    client = await enter("anna")
    answer = await client.post("/api/v1/alarms/a-1/acknowledgement", headers={"origin": "https://evil.example"})
    assert await code_of(answer) == (403, "access.origin-refused")
    wrong = {"name": "anna", "password": PASSWORD}
    answer = await client.post("/api/v1/session", json=wrong, headers={"origin": "https://evil.example"})
    assert await code_of(answer) == (403, "access.origin-refused")


async def test_a_viewer_may_not_order_and_an_operator_may_not_administer(enter: Enter) -> None:
    viewer = await enter("vera")
    assert (await viewer.get(SUMMARY)).status_code == 200
    answer = await viewer.post("/api/v1/alarms/a-1/acknowledgement")
    assert await code_of(answer) == (403, "access.forbidden")
    operator = await enter("anna")
    assert await code_of(await operator.get("/api/v1/people")) == (403, "access.forbidden")


async def test_a_one_time_password_opens_only_its_replacement(enter: Enter) -> None:
    client = await enter("nina")
    assert await code_of(await client.get(SUMMARY)) == (403, "access.password-expired")
    change = {"current": PASSWORD, "new": "quite another sentence"}
    assert (await client.put("/api/v1/session/password", json=change)).status_code == 200
    assert (await client.get(SUMMARY)).status_code == 200


async def test_the_sixth_guess_waits(enter: Enter) -> None:
    client = await enter()
    for _ in range(5):
        answer = await client.post("/api/v1/session", json={"name": "anna", "password": "guess"})
        assert await code_of(answer) == (401, "access.sign-in-failed")
    answer = await client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
    assert await code_of(answer) == (429, "access.too-many-attempts")


async def test_programs_bring_a_token_instead_of_cookie_and_origin(enter: Enter) -> None:
    admin = await enter("ada")
    made = (await admin.post("/api/v1/tokens", json={"name": "scada", "scope": "view"})).json()
    program = await enter(origin="")
    bearer = {"authorization": f"Bearer {made['token']}"}
    assert (await program.get(SUMMARY, headers=bearer)).status_code == 200
    answer = await program.post("/api/v1/alarms/a-1/acknowledgement", headers=bearer)
    assert await code_of(answer) == (403, "access.forbidden")
    listed = (await admin.get("/api/v1/tokens")).json()
    assert [(token["name"], token["token"]) for token in listed] == [("scada", "")]
    assert (await admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
    assert await code_of(await program.get(SUMMARY, headers=bearer)) == (401, "access.sign-in-required")


async def test_people_are_kept_by_administrators(enter: Enter) -> None:
    admin = await enter("ada")
    made = await admin.post("/api/v1/people", json={"name": "neo", "role": "viewer", "password": PASSWORD})
    assert (made.status_code, made.json()) == (201, {"name": "neo", "role": "viewer", "one_time": True})
    assert "neo" in [user["name"] for user in (await admin.get("/api/v1/people")).json()]
    assert "password" not in (await admin.get("/api/v1/people")).text
    assert (await admin.delete("/api/v1/people/neo")).status_code == 204
    assert await code_of(await admin.delete("/api/v1/people/neo")) == (404, "request.not-found")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"name": "anna"}', 400),
        (b'{"name":"a","password":"b","x":1}', 400),
        (b" " * 300_000, 413),
    ],
)
async def test_bad_bodies_are_refused_by_name(enter: Enter, content: bytes, status: int) -> None:
    client = await enter()
    answer = await client.post("/api/v1/session", content=content)
    assert answer.status_code == status
    assert answer.json()["code"].startswith("request.")
