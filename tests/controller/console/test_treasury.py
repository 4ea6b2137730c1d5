"""The treasury's pages: what they say, whom they offer what, and what their handlers refuse."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.console.format import btc, money, parse_money
from controller.console.parts.button import Button
from controller.console.parts.copy_text import CopyText
from controller.console.parts.frame import Frame
from controller.console.parts.panel import Head
from controller.console.parts.payment import PaymentHead
from controller.console.parts.qr_code import QrCode
from controller.console.parts.seal import SealBox
from controller.console.parts.spending_tree import SpendingTree
from controller.console.topics import all_topics
from controller.console.topics.treasury import patience
from controller.views.ports import Operations
from controller.views.treasury import UnfitView
from shared.clock import SystemClock
from shared.errors import GatewayUnavailable
from tests.controller.console.conftest import Enter
from tests.controller.console.fake_treasury import FakeTreasury
from tests.controller.console.hands import press, rows, send
from tests.controller.console.test_pages import elements, sheet
from tests.controller.console.treasury_truth import DRAFT, VAULT, WAITS
from tests.controller.contracts.scene import static_key


async def test_without_a_treasury_there_is_no_menu_entry_and_no_topic(visit: Enter, site: Operations) -> None:
    visitor = await visit("vera")
    await visitor.user.open("/treasury")
    (shown,) = elements(visitor.user, Frame)
    assert shown.props["nav"][-1]["label"] == "Treasury"
    with visitor.user:
        without = Frame(sites=[], site="west-1", user="vera", operates=False, first=None)
    assert "treasury" not in [item["key"] for item in without.props["nav"]]
    assert not [topic for topic in all_topics(site) if topic.name.startswith("treasury")]


async def test_what_needs_a_person_stands_first_and_names_who(site: Operations, treasury: FakeTreasury) -> None:
    treasury.boxes = (msgspec.structs.replace(treasury.boxes[0], stopped="its ledger forks"), *treasury.boxes[1:])
    needs = await rows(site, treasury, "treasury-needs")
    assert [cells[0]["mark"] for cells in needs] == sorted(cells[0]["mark"] for cells in needs)
    said = [cells[1]["text"] for cells in needs]
    assert said[0] == "Box edge-1 at west-1: stopped: its ledger forks"
    assert any("Box edge-3 at west-1: never heard" in text for text in said)
    assert any("can soon be spent by the path “recovery”" in text for text in said)
    actions = {cells[1]["text"].split(" to ")[-1]: cells[2] for cells in needs}
    assert actions["Kraken deposit from Cold reserve"] == "Approve: Rosa"  # Anna proposed it, Ben has said yes


async def test_a_contract_that_a_box_does_not_sign_for_needs_a_person(
    visit: Enter, site: Operations, treasury: FakeTreasury
) -> None:
    assert not [cells for cells in await rows(site, treasury, "treasury-needs") if "not sign for" in cells[1]["text"]]
    why = "<b>no key of ours</b>"
    unfit = msgspec.structs.replace(treasury.boxes[0], unfit=(UnfitView(VAULT, why), UnfitView("cc" * 32, why)))
    treasury.boxes = (unfit, *treasury.boxes[1:])
    said = {cells[1]["text"]: cells[1]["href"] for cells in await rows(site, treasury, "treasury-needs")}
    assert said[f"Box edge-1 at west-1 does not sign for Cold reserve: {why}"] == "/console/treasury/box/box-one"
    assert f"Box edge-1 at west-1 does not sign for cccccccc…cccccccc: {why}" in said  # unknown to this controller
    visitor = await visit("vera")
    await visitor.user.open("/treasury/box/box-one")
    shown = sheet(visitor.user, "Contracts that it does not sign for").props["first"]
    assert [row["cells"][0]["text"] for row in shown] == ["Cold reserve", "cccccccc…cccccccc"]
    assert shown[0]["cells"][2] == why


async def test_a_node_that_cannot_be_asked_leaves_balances_unknown(
    visit: Enter, site: Operations, treasury: FakeTreasury
) -> None:
    treasury.trouble = "http://node:18443: connection refused"
    visitor = await visit("tess")
    await visitor.user.open("/treasury")
    needs = sheet(visitor.user, "Needs a person").props["first"]
    assert needs[0]["cells"][1]["text"].endswith("connection refused")
    assert [cells[3] for cells in await rows(site, treasury, "treasury-contracts")] == ["unknown", "unknown"]
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    assert sheet(visitor.user, "Coins").props["empty"] == "The node cannot be asked for its coins."


async def test_an_empty_treasury_says_so(visit: Enter, treasury: FakeTreasury) -> None:
    treasury.payments, treasury.boxes = {}, ()
    visitor = await visit("vera")
    await visitor.user.open("/treasury")
    assert sheet(visitor.user, "Open payments").props["first"] == []
    assert sheet(visitor.user, "Signing boxes").props["empty"] == "No signing box is known."


async def test_a_contract_is_told_in_sentences_with_its_calendar(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    (tree,) = elements(visitor.user, SpendingTree)
    everyday, recovery = tree.props["first"]["paths"]
    assert everyday["sentence"] == "Any two of box one, box two and box three, at once."
    assert (recovery["locked"], recovery["state"]) == (True, "due")
    coins = sheet(visitor.user, "Coins").props["first"]
    assert coins[0]["cells"][3]["text"].replace("\u00a0", " ") == "due, opens in 132 blocks ≈ 22 h"
    assert coins[2]["cells"][2:] == ["in no block yet", {"text": "unknown: in no block yet", "tag": True, "tone": 0}]
    await visitor.user.open(f"/treasury/contract/{DRAFT}")
    await visitor.user.should_see("No policy is in force")


@pytest.mark.parametrize(
    ("name", "path"), [("vera", f"contract/{VAULT}"), ("vera", f"payment/{WAITS}"), ("anna", f"contract/{VAULT}")]
)
async def test_who_may_not_spend_is_offered_nothing(visit: Enter, name: str, path: str) -> None:
    visitor = await visit(name)
    await visitor.user.open(f"/treasury/{path}")
    assert elements(visitor.user, Button) == []
    assert not any(box.props["spends"] for box in elements(visitor.user, SealBox))
    assert not any(head.props["spends"] for head in elements(visitor.user, PaymentHead))


async def test_the_next_address_comes_with_its_place_and_a_picture(visit: Enter) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    press(visitor, "receive")
    await visitor.user.should_see("Address number 17 of the receiving branch (0/17)")
    await visitor.user.should_see("Derived by btclib and again by rust-miniscript (bdk)")
    (code,) = elements(visitor.user, QrCode)
    assert code.props["side"] in (29, 33)


async def test_a_refusal_to_refresh_stays_in_its_dialog(visit: Enter) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    press(visitor, "refresh")
    await visitor.user.should_see("Nobody is paid; only the fee leaves.")
    visitor.user.find("Reason").type("opens soon")
    send(visitor)
    await visitor.user.should_see("[treasury.nothing-due]")


async def test_a_box_tells_its_limits_ledger_clock_and_keys(visit: Enter, site: Operations) -> None:
    visitor = await visit("vera")
    await visitor.user.open("/treasury/box/box-two")
    (head,) = elements(visitor.user, Head)
    assert head.props["first"]["sentence"] == "Clock stale: no header for 3 h 05 min."
    assert [one["value"] for one in head.props["first"]["figures"]][1:3] == ["240,093", "19\u00a0blocks"]
    (row,) = sheet(visitor.user, "Limits left").props["first"]
    assert (row["cells"][0]["text"], row["cells"][2]["load"]) == ("Cold reserve", 25)
    texts = {one.props["test"]: one.props["text"] for one in elements(visitor.user, CopyText)}
    assert texts["ledger-head"] == "9d" * 32
    assert texts["box-keys"] == static_key(2)
    await visitor.user.open("/treasury/box/nope")
    await visitor.user.should_see("No signing box 'nope'")


async def test_unknown_contracts_and_payments_are_states(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open("/treasury/contract/nope")
    await visitor.user.should_see("No contract 'nope'")
    await visitor.user.open("/treasury/payment/nope")
    await visitor.user.should_see("No proposal 'nope'")


async def test_a_node_that_hangs_does_not_hold_up_the_pages(
    site: Operations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.02)
    monkeypatch.setattr(patience, "FRESH_S", 0.0)
    treasury = FakeTreasury(SystemClock(), tmp_path)
    answers, truth = asyncio.Event(), treasury.state

    async def slow() -> Any:
        await answers.wait()
        return await truth()

    monkeypatch.setattr(treasury, "state", slow)
    desk = patience.PatientDesk(treasury, site.clock)
    with pytest.raises(GatewayUnavailable):
        await desk.state()
    answers.set()
    assert (await desk.state()).height is not None
    answers.clear()
    assert (await desk.state()).height is not None


@pytest.mark.parametrize(
    ("text", "in_btc", "sat"),
    [
        ("0.125", True, 12_500_000),
        ("12,500 000", False, 12_500_000),
        ("0.000000001", True, None),
        ("1.5", False, None),
        ("0", True, None),
        ("-1", True, None),
        ("NaN", True, None),
        ("1e99999999", True, None),
        ("21000001", True, None),
        ("", False, None),
    ],
)
def test_only_exact_amounts_are_money(text: str, in_btc: bool, sat: int | None) -> None:
    assert parse_money(text, in_btc=in_btc) == sat


def test_money_is_shown_in_both_units_and_unknown_as_unknown() -> None:
    assert btc(1_250_000_000).replace("\u00a0", " ") == "12.500 000 00 BTC"
    assert money(4_180).replace("\u00a0", " ") == "4,180 sat · 0.000 041 80 BTC"
    assert money(None) == "unknown"
