"""A payment in the console: proposed, sealed, approved, its boxes asked, its fee raised."""

import base64

import msgspec
import pytest
from nicegui import ElementFilter, ui

from controller.console.parts.file_box import FileBox
from controller.console.parts.payment import PaymentHead
from controller.console.parts.seal import SealBox
from controller.console.topics.treasury import fee
from controller.console.topics.treasury.payment import steps
from controller.views.ports import Operations
from controller.views.treasury import ScheduleView
from tests.controller.console.conftest import Enter
from tests.controller.console.fake_treasury import FakeTreasury
from tests.controller.console.hands import act, hand_in, hand_in_file, press, rows, send
from tests.controller.console.test_pages import elements, eventually, notice_code, sheet
from tests.controller.console.treasury_truth import BURIED, REFUSED, SIGNS, STUCK, UNSEALED, VAULT, WAITS

SEALED = base64.b64encode(b"Rosa says yes").decode()


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


async def test_a_refused_payment_says_by_which_rule(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{REFUSED}")
    (head,) = elements(visitor.user, PaymentHead)
    assert head.props["first"]["ended"]["rule"] == "screening.sanctioned"
    assert head.props["first"]["acts"] == []


async def test_a_viewer_is_refused_even_if_the_page_offers_it(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{WAITS}")
    hand_in(visitor, SEALED)
    assert await notice_code(visitor.user) == "access.forbidden"
    assert treasury.sealed == []
