"""The treasury's pages: what they say, whom they offer what, and what their handlers refuse."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nicegui import ElementFilter, ui

from controller.console.feed import Feed, Key
from controller.console.format import btc, money, parse_money
from controller.console.parts.button import Button
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.frame import Frame
from controller.console.parts.panel import Head
from controller.console.parts.payment import PaymentHead
from controller.console.parts.qr_code import QrCode
from controller.console.parts.seal import SealBox
from controller.console.parts.spending_tree import SpendingTree
from controller.console.topics import all_topics
from controller.console.topics.treasury import fee, patience
from controller.console.topics.treasury.payment import steps
from controller.views.ports import Operations
from controller.views.treasury import ScheduleView, UnfitView
from shared.clock import SystemClock
from shared.errors import GatewayUnavailable
from tests.controller.console.conftest import Enter, Visitor
from tests.controller.console.fake_treasury import (
    BURIED,
    DRAFT,
    REFUSED,
    SIGNS,
    STUCK,
    UNSEALED,
    VAULT,
    WAITS,
    FakeTreasury,
)
from tests.controller.console.test_pages import elements, eventually, notice_code, sheet
from tests.controller.contracts.scene import static_key

SEALED = base64.b64encode(b"Rosa says yes").decode()


async def rows(site: Operations, desk: FakeTreasury, topic: str, subject: str = "") -> list[list[Any]]:
    kept = await Feed(site.clock, all_topics(site, desk)).newest(Key(topic, "", subject))
    return [row["cells"] for row in kept.content["rows"]]


def hand_in(visitor: Visitor, sealed: str) -> None:
    (box,) = elements(visitor.user, SealBox)
    listener = next(iter(box._event_listeners.values()))
    box._handle_event({"listener_id": listener.id, "args": {"sealed": sealed}})


def act(visitor: Visitor, name: str) -> None:
    (head,) = elements(visitor.user, PaymentHead)
    listener = next(iter(head._event_listeners.values()))
    head._handle_event({"listener_id": listener.id, "args": {"name": name}})


def hand_in_file(visitor: Visitor, party: str, text: str) -> None:
    (box,) = elements(visitor.user, FileBox)
    listener = next(iter(box._event_listeners.values()))
    box._handle_event({"listener_id": listener.id, "args": {"name": party, "text": text}})


def press(visitor: Visitor, test: str) -> None:
    (button,) = (one for one in elements(visitor.user, Button) if one.props.get("data-testid") == test)
    listener = next(iter(button._event_listeners.values()))
    button._handle_event({"listener_id": listener.id, "args": None})


def send(visitor: Visitor) -> None:
    press(visitor, "send")


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


async def test_a_viewer_is_refused_even_if_the_page_offers_it(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{WAITS}")
    hand_in(visitor, SEALED)
    assert await notice_code(visitor.user) == "access.forbidden"
    assert treasury.sealed == []


async def test_a_pasted_approval_reaches_the_desk(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{WAITS}")
    (box,) = elements(visitor.user, SealBox)
    assert base64.b64decode(box.props["first"]["to_sign"]) == b"what Ben signs"
    hand_in(visitor, f" {SEALED[:8]}\n{SEALED[8:]} ")

    async def taken() -> bool:
        return treasury.sealed == [b"Rosa says yes"]

    await eventually(taken)


async def test_a_payment_waits_for_its_proposer_first(visit: Enter, site: Operations, treasury: FakeTreasury) -> None:
    treasury.unsealed("treasury desk")
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{UNSEALED}")
    (box,), (head,) = elements(visitor.user, SealBox), elements(visitor.user, PaymentHead)
    assert [one["name"] for one in box.props["first"]["people"]] == ["Anna", "Ben"]
    assert base64.b64decode(box.props["first"]["to_sign"]) == b"what the proposer signs"
    assert "waits for its proposer's signature" in head.props["first"]["sentence"]
    assert "asked for by treasury desk, proposed by nobody yet" in head.props["first"]["why"]
    assert [step["state"] for step in steps(treasury.payments[UNSEALED])] == ["now", *["open"] * 6]
    approvals = sheet(visitor.user, "Approvals").props["first"]
    assert {row["cells"][1]["text"] for row in approvals} == {"asked once its proposer has signed"}
    needs = await rows(site, treasury, "treasury-needs")
    assert any("Propose it with a key: anybody with a key" in str(cells) for cells in needs)
    hand_in(visitor, SEALED)

    async def taken() -> bool:
        return (treasury.proposers, treasury.sealed) == ([b"Rosa says yes"], [])

    await eventually(taken)
    hand_in(visitor, SEALED)

    async def approved() -> bool:
        return treasury.sealed == [b"Rosa says yes"]

    await eventually(approved)


@pytest.mark.parametrize(
    ("sealed", "code"), [("not base64!", "input.malformed"), ("Zm9yZWlnbg==", "approval.approver-unknown")]
)
async def test_a_wrong_approval_is_refused_by_name(
    visit: Enter, treasury: FakeTreasury, sealed: str, code: str
) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{WAITS}")
    hand_in(visitor, sealed)
    assert (await notice_code(visitor.user)).endswith(code.split(".")[1])
    assert treasury.sealed == []


async def test_taking_back_wants_a_reason(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{WAITS}")
    act(visitor, "cancel")
    await visitor.user.should_see("Take the payment back")
    visitor.user.find("Reason").type("paid by hand")
    send(visitor)

    async def gone() -> bool:
        return treasury.payments[WAITS].status == "cancelled"

    await eventually(gone)
    assert treasury.payments[WAITS].detail == "paid by hand"


async def test_a_payment_is_proposed_from_the_allow_list(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    visitor.user.find("Propose a payment").click()
    await visitor.user.should_see("Leaves the contract: unknown")
    with visitor.user:
        to = next(one for one in ElementFilter(kind=ui.select) if one.props.get("data-testid") == "to")
        amount = next(one for one in ElementFilter(kind=ui.input) if one.props.get("data-testid") == "amount")
        to.set_value(0)
        amount.set_value("0.125")
    await visitor.user.should_see("12,500,000\u00a0sat")
    visitor.user.find("Reason").type("power bill")
    send(visitor)

    async def proposed() -> bool:
        return len(treasury.proposed) == 1

    await eventually(proposed)
    (wish,) = treasury.proposed
    assert (wish.path, wish.reason, wish.target_blocks) == ("everyday", "power bill", 6)
    assert [(one.name, one.amount_sat) for one in wish.payments] == [("Kraken deposit", 12_500_000)]


async def test_a_split_becomes_lines_and_is_proposed_as_they_are(visit: Enter, treasury: FakeTreasury) -> None:
    schedule = ScheduleView(payees=("Kraken deposit", "West Texas Power"), weights=(3, 1))
    treasury.view = msgspec.structs.replace(treasury.view, schedule=schedule)
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    visitor.user.find("Propose a payment").click()
    await visitor.user.should_see("Shares: Kraken deposit 3, West Texas Power 1")
    with visitor.user:
        whole = next(one for one in ElementFilter(kind=ui.input) if one.props.get("data-testid") == "whole")
        whole.set_value("1000001")
    press(visitor, "split")
    await visitor.user.should_see("Leaves the contract: 1,000,001")
    visitor.user.find("Reason").type("hosting")
    send(visitor)

    async def proposed() -> bool:
        return len(treasury.proposed) == 1

    await eventually(proposed)
    parts = [(one.name, one.amount_sat) for one in treasury.proposed[0].payments]
    assert parts == [("Kraken deposit", 750_000), ("West Texas Power", 250_001)]


async def test_boxes_answer_or_say_by_which_rule_not(site: Operations, treasury: FakeTreasury) -> None:
    answered, refused, sent = await rows(site, treasury, "payment-boxes", SIGNS)
    assert (answered[2]["text"], sent[2]["text"]) == ("answered", "sent")
    assert (refused[2]["text"], refused[3]) == ("refused: limit.window", "window of 144 blocks is spent")


@pytest.mark.parametrize(
    ("payment", "states"),
    [
        (WAITS, "done now open open open open open"),
        (SIGNS, "done done done now open open open"),
        (BURIED, "done done done done done done done"),
        (REFUSED, "done done done failed open open open open"),
    ],
)
def test_steps_tell_how_far_it_came(treasury: FakeTreasury, payment: str, states: str) -> None:
    assert [step["state"] for step in steps(treasury.payments[payment])] == states.split()


@pytest.mark.parametrize(("way", "figures"), [("replace", "2,080\u00a0sat more"), ("child", "The child pays")])
async def test_a_fee_is_raised_with_old_and_new_figures(
    visit: Enter, treasury: FakeTreasury, way: str, figures: str
) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{STUCK}")
    act(visitor, "raise")
    await visitor.user.should_see("Now 2,080\u00a0sat")
    with visitor.user:
        how = next(one for one in ElementFilter(kind=ui.select))
        rate = next(one for one in ElementFilter(kind=ui.input) if one.props.get("data-testid") == "rate")
        how.set_value(way)
        rate.set_value("20")
    await visitor.user.should_see(figures)
    visitor.user.find("Reason").type("stuck for a day")
    send(visitor)

    async def raised() -> bool:
        return treasury.raised == [(way, STUCK, 20, "stuck for a day")]

    await eventually(raised)


@pytest.mark.parametrize(
    ("way", "rate", "change_sat", "against"),
    [
        ("replace", 10, 10**6, "no more than it pays now"),
        ("replace", 201, 10**6, "200\u00a0sat/vB at most"),
        ("replace", 199, 10**6, ""),
        ("replace", 600, 10**6, "100,000\u00a0sat at most"),
        ("child", 20, 500, "The change of 500\u00a0sat does not pay that"),
    ],
)
def test_what_stands_against_a_higher_fee_is_said_before(
    treasury: FakeTreasury, way: str, rate: int, change_sat: int, against: str
) -> None:
    stuck = msgspec.structs.replace(treasury.payments[STUCK], change_sat=change_sat)
    assert treasury.view.policy is not None
    new = fee.replacement(stuck, rate) if way == "replace" else fee.child(stuck, rate, 420)
    said = fee.said(stuck, way, new, treasury.view.policy.limits)[1]
    assert said == against if not against else against in said


def test_a_child_lifts_its_parent_to_the_rate(treasury: FakeTreasury) -> None:
    stuck = treasury.payments[STUCK]
    new = fee.child(stuck, 20, 420)
    both_vb = (stuck.weight_wu + 420 + 4 * 53 + 2) / 4
    assert (stuck.fee_sat + new.fee_sat) / both_vb == pytest.approx(20, rel=0.01)


async def test_a_signed_file_is_taken_in_the_name_of_its_key(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{SIGNS}")
    (box,) = elements(visitor.user, FileBox)
    assert box.props["first"]["names"] == ["box two", "box three"]  # box one has answered
    hand_in_file(visitor, "box two", base64.b64encode(b"psbt\xff signed").decode())

    async def taken() -> bool:
        return treasury.files == [("box two", b"psbt\xff signed")]

    await eventually(taken)
    hand_in_file(visitor, "box two", base64.b64encode(b"something else").decode())
    assert await notice_code(visitor.user) == "answer.malformed"


async def test_silent_boxes_are_asked_again_by_who_may(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{SIGNS}")
    act(visitor, "ask")
    hand_in_file(visitor, "box two", "cHNidA==")
    assert await notice_code(visitor.user) == "access.forbidden"
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/payment/{SIGNS}")
    act(visitor, "ask")

    async def asked() -> bool:
        return treasury.asked == [SIGNS]

    await eventually(asked)
    assert treasury.files == []


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


async def test_a_refused_payment_says_by_which_rule(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{REFUSED}")
    (head,) = elements(visitor.user, PaymentHead)
    assert head.props["first"]["ended"]["rule"] == "screening.sanctioned"
    assert head.props["first"]["acts"] == []


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
