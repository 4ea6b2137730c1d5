"""The page of proofs: control of an address is asked for, claims are made elsewhere and kept here."""

import json
import shlex
from typing import Any

import pytest
from nicegui import ElementFilter, ui

from controller.console.pages.treasury.claim import claim_command
from controller.console.pages.treasury.control import places_of
from controller.console.parts.button import Button
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.payment import PaymentHead
from shared.errors import Malformed
from tests.controller.console.conftest import Enter
from tests.controller.console.fake_treasury import FakeTreasury
from tests.controller.console.test_pages import elements, eventually, notice_code, sheet
from tests.controller.console.treasury_truth import KRAKEN, PROVEN, VAULT

TIMES = ("2023-11-15 00:00", "2023-11-16 00:00")


def press(user: Any, test: str) -> None:
    (button,) = (one for one in elements(user, Button) if one.props.get("data-testid") == test)
    listener = next(iter(button._event_listeners.values()))
    button._handle_event({"listener_id": listener.id, "args": None})


async def test_a_proof_of_control_is_asked_for(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open("/treasury/proofs")
    press(visitor.user, "prove")
    await visitor.user.should_see("Prove control of Cold reserve")
    with visitor.user:
        next(iter(ElementFilter(kind=ui.textarea))).set_value("auditor 1")
    visitor.user.find("Reason").type("yearly audit")
    press(visitor.user, "send")

    async def asked() -> bool:
        return len(treasury.wished) == 1

    await eventually(asked)
    (wish,) = treasury.wished
    assert (wish.message, wish.path, wish.branch, wish.index) == ("auditor 1", "everyday", 0, 1)


def test_addresses_are_offered_by_what_they_hold(treasury: FakeTreasury) -> None:
    assert list(places_of(treasury.view)) == [(0, 1), (0, 0), (0, 2)]


async def test_a_proof_is_shown_with_what_it_does_not_show(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/payment/{PROVEN}")
    (head,) = elements(visitor.user, PaymentHead)
    assert head.props["first"]["sentence"] == "Proof of control: proven; nothing has moved"
    assert [step["state"] for step in head.props["first"]["steps"]] == ["done"] * 5
    texts = {one.props["test"]: one.props["text"] for one in elements(visitor.user, CopyText)}
    told = json.loads(texts["control"])
    assert (told["address"], told["message"]) == (KRAKEN, texts["message"])
    assert "whose the coins are" in told["not_proven"]


async def test_a_claim_is_kept_by_who_may(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open("/treasury/proofs")
    (box,) = elements(visitor.user, FileBox)
    listener = next(iter(box._event_listeners.values()))
    box._handle_event({"listener_id": listener.id, "args": {"name": "claim", "text": "nonsense"}})
    assert await notice_code(visitor.user) == "request.malformed"
    box._handle_event({"listener_id": listener.id, "args": {"name": "claim", "text": "{}"}})

    async def kept() -> bool:
        return len(treasury.claims) == 1

    await eventually(kept)
    visitor = await visit("vera")
    await visitor.user.open("/treasury/proofs")
    (row,) = sheet(visitor.user, "Claims").props["first"]
    assert row["cells"][5]["href"] == "/api/v1/claims/c0"
    assert elements(visitor.user, FileBox) == elements(visitor.user, Button) == []


def test_the_command_of_a_claim_says_what_was_filled_in(treasury: FakeTreasury) -> None:
    text = claim_command(treasury.meter, "at-most", "120,000,000", TIMES, "2027-01-31", "7f; rm -rf")
    words = shlex.split(text)
    assert words[:5] == ["bes", "claim", "prove", "journal.db", "claim.json"]
    given = dict(zip(words[5::2], words[6::2], strict=True))
    assert given["--from"] == "2023-11-15T00:00:00"
    assert (given["--bound-wh"], given["--nonce"]) == ("120000000", "7f; rm -rf")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"bound": "12.5"}, "bound: write a whole number"),
        ({"bound": str(2**52)}, "below 2\\^52"),
        ({"times": ("yesterday", TIMES[1])}, "from: write a time"),
        ({"times": (TIMES[0], "2023-11-16 00:30")}, "to: slots of this meter begin every 60 min"),
        ({"times": TIMES[::-1]}, "the end has to lie after"),
        ({"expires": "soon"}, "good until"),
    ],
)
def test_a_claim_that_cannot_be_made_is_told_at_its_field(
    treasury: FakeTreasury, changes: dict[str, Any], text: str
) -> None:
    given = {"kind": "at-most", "bound": "1", "times": TIMES, "expires": "2027-01-31", "nonce": ""} | changes
    with pytest.raises(Malformed, match=text):
        claim_command(treasury.meter, **given)


async def test_a_contract_without_a_treasurer_is_only_looked_at(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    assert elements(visitor.user, Button) == []
