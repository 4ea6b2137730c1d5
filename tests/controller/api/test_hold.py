"""Held miners by REST: who holds them, and the way back to dispatch."""

from tests.controller.api.conftest import Enter
from tests.controller.console.fake_fleet import SITE

BASE = f"/api/v1/sites/{SITE}/holds"


async def test_an_operator_sees_and_releases_what_is_held(enter: Enter) -> None:
    anna = await enter("anna")
    (held,) = (await anna.get(BASE)).json()
    assert (held["by"], held["reason"], held["command_id"]) == ("otto", "fan swap", "cmd-0000")
    wanted = {"device_ids": [held["device_id"]], "reason": "fan is new"}
    assert (await anna.post(f"{BASE}/release", json=wanted)).json() == {"device_ids": [held["device_id"]]}
    assert (await anna.get(BASE)).json() == []
    again = await anna.post(f"{BASE}/release", json=wanted)
    assert again.json()["rule"] == "command.not-held"


async def test_what_a_release_needs(enter: Enter) -> None:
    anna, vera = await enter("anna"), await enter("vera")
    wanted = {"query": "held:*", "reason": "fan is new"}
    assert (await vera.post(f"{BASE}/release", json=wanted)).status_code == 403
    assert (await vera.get(BASE)).status_code == 200
    for body in ({"reason": "fan is new"}, wanted | {"device_ids": ["m-1"]}, {"query": "held:*"}):
        assert (await anna.post(f"{BASE}/release", json=body)).status_code in (400, 422), body
    assert (await anna.get("/api/v1/sites/nowhere/holds")).status_code == 404
    assert (await anna.post("/api/v1/sites/nowhere/holds/release", json=wanted)).status_code == 404
