"""Decisions of dispatch by REST."""

from tests.controller.api.conftest import Enter
from tests.controller.console.fake_fleet import SITE

BASE = f"/api/v1/sites/{SITE}/decisions"


async def test_decisions_are_listed_and_found_by_id(enter: Enter) -> None:
    vera = await enter("vera")
    held, ordered = (await vera.get(BASE)).json()
    assert (held["gap_pct"], held["profit_usd_h"]) == (None, None)
    assert ordered["binding"][0] == {
        "feeder": "f-c03",
        "load_w": 66_000.0,
        "limit_w": 67_000.0,
        "shadow_price_usd_mwh": 41.2,
    }
    assert (await vera.get(f"{BASE}/{ordered['id']}")).json() == ordered
    assert len((await vera.get(BASE, params={"limit": 1})).json()) == 1


async def test_what_is_not_there_and_what_is_too_much(enter: Enter) -> None:
    vera = await enter("vera")
    assert (await vera.get(f"{BASE}/none")).status_code == 404
    assert (await vera.get("/api/v1/sites/nowhere/decisions")).status_code == 404
    assert (await vera.get(BASE, params={"limit": 501})).status_code in (400, 422)
    assert (await (await enter()).get(BASE)).status_code == 401
