"""Whatever a viewer writes into an address ends in an answer: never in a failure of ours, never in endless work."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.controller.operations.conftest import MINERS, SITE, START_MS

PREFIX = "/api/v1"
HOSTILE = (
    "-1",
    "1" + "0" * 17,
    "1" + "0" * 30,
    "-1" + "0" * 30,
    "9" * 5_000,
    "1e5",
    "nan",
    "²",
    "٣",
    "",
    "\x00",
    "0x10",
)
NAMES = ("nobody", "\x00", "%", "' OR 1=1 --", "é" * 400, "9" * 40, "..")
DEADLINE_S = 10.0
KNOWN = {"site": SITE, "device_id": MINERS[0], "subject": SITE, "field": "power_w"}


async def reads(client: httpx.AsyncClient) -> list[tuple[str, list[dict[str, Any]]]]:
    """Every GET route of the description with its parameters."""
    document = (await client.get(f"{PREFIX}/openapi.json")).json()
    return [(path, verbs["get"].get("parameters", [])) for path, verbs in document["paths"].items() if "get" in verbs]


def address(path: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def needed(parameters: list[dict[str, Any]]) -> dict[str, str]:
    return {item["name"]: KNOWN[item["name"]] for item in parameters if item["in"] == "query" and item["required"]}


async def ask(client: httpx.AsyncClient, path: str, query: dict[str, str]) -> httpx.Response:
    """Failures of ours come out of the client as they are."""
    async with asyncio.timeout(DEADLINE_S):
        answer = await client.get(path, params=query)
    assert answer.status_code < 500, (path, query, answer.text)
    if answer.status_code >= 400:
        assert answer.json()["mend"], (path, query)
    return answer


async def test_no_number_in_a_query_breaks_a_read(anna: httpx.AsyncClient):
    tried = 0
    for template, parameters in await reads(anna):
        path = address(template, KNOWN)
        for parameter in (item for item in parameters if item["in"] == "query"):
            for hostile in HOSTILE:
                await ask(anna, path, needed(parameters) | {parameter["name"]: hostile})
                tried += 1
    assert tried > 100


async def test_a_number_out_of_bounds_is_named_with_its_place(anna: httpx.AsyncClient):
    big = "1" + "0" * 30
    for template, parameters in await reads(anna):
        for parameter in parameters:
            kinds = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            if parameter["in"] != "query" or not any(kind.get("type") == "integer" for kind in kinds):
                continue
            answer = await ask(anna, address(template, KNOWN), needed(parameters) | {parameter["name"]: big})
            assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")
            assert parameter["name"] in answer.json()["detail"]


@pytest.mark.parametrize("name", NAMES)
async def test_no_name_in_an_address_breaks_a_read(anna: httpx.AsyncClient, name: str):
    for template, parameters in await reads(anna):
        for placeholder in (item["name"] for item in parameters if item["in"] == "path"):
            await ask(anna, address(template, KNOWN | {placeholder: name}), needed(parameters))


async def test_prices_of_centuries_are_refused(anna: httpx.AsyncClient):
    for from_ms, to_ms in ((0, 10**17), (START_MS, START_MS + 401 * 86_400_000), (5, 5)):
        answer = await ask(anna, f"{PREFIX}/sites/{SITE}/prices", {"from_ms": str(from_ms), "to_ms": str(to_ms)})
        assert answer.status_code == 400
        assert "to_ms" in answer.json()["detail"]


@pytest.mark.parametrize("number", ["1" + "0" * 30, "1e400", "-1", "NaN", "1e308"])
async def test_no_number_in_a_body_breaks_an_order(anna: httpx.AsyncClient, number: str):
    curtail = f'{{"reduction_w": {number}, "ends_at_ms": null}}', f'{{"reduction_w": 5000, "ends_at_ms": {number}}}'
    parameters = f'"parameters": {{"limit_w": {number}}}'
    order = f'{{"verb": "set_power_limit", {parameters}, "query": "", "reason": "hostile"}}'
    bodies = [("curtailments/preview", body) for body in curtail] + [("commands/preview", order), ("commands", order)]
    for path, body in bodies:
        answer = await anna.post(f"{PREFIX}/sites/{SITE}/{path}", content=body)
        assert answer.status_code < 500, (path, body, answer.text)
