"""The page of a forward: what it says at every step, what it takes, and whom it refuses."""

import base64
from typing import Any

import msgspec
import pytest

from controller.console.feed import Feed, Key
from controller.console.parts.copy_text import CopyText
from controller.console.parts.file_box import FileBox
from controller.console.parts.panel import Sentences
from controller.console.parts.payment import PaymentHead
from controller.console.parts.seal import SealBox
from controller.console.topics import all_topics
from controller.console.topics.treasury.forward import acts, awaited_file, deed_to_sign, steps
from controller.views.ports import Operations
from tests.controller.console.conftest import Enter, Visitor
from tests.controller.console.fake_forward import FORWARD, FRESH, HOSTILE, FakeForward
from tests.controller.console.fake_treasury import FakeTreasury
from tests.controller.console.test_pages import elements, eventually, notice_code, sheet
from tests.controller.console.treasury_truth import VAULT

PAGE = f"/treasury/forward/{FORWARD}"


def tell(visitor: Visitor, kind: type, at: int = 0, **args: str) -> None:
    part = elements(visitor.user, kind)[at]
    listener = next(iter(part._event_listeners.values()))
    part._handle_event({"listener_id": listener.id, "args": args})


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def told(forwards: FakeForward, *expected: Any) -> None:
    async def arrived() -> bool:
        return [what for what, _ in forwards.told] == [what for what, _ in expected]

    await eventually(arrived)
    assert forwards.told == list(expected)


async def test_a_forward_says_where_it_stands_who_gets_what_and_who_is_awaited(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(PAGE)
    (head,) = elements(visitor.user, PaymentHead)
    first = head.props["first"]
    assert first["sentence"] == "Awaited: the owners' deed, a proposal and approvals, then our box."
    assert first["ended"] == {"rule": "limit.window", "detail": "our box: window of 144 blocks is spent"}
    assert [step["state"] for step in first["steps"]][:3] == ["done", "now", "open"]
    assert [one["also"] for one in first["figures"]][1] == "in 4,000\u00a0blocks ≈ 28\u00a0days"
    said = "\n".join(elements(visitor.user, Sentences)[0].props["first"]["lines"])
    assert "for 1,886,000\u00a0sat" in said
    assert "from block 245,120 on" in said
    assert HOSTILE in said  # text to the browser, nothing more
    shown = [row["cells"] for row in sheet(visitor.user, "Payouts").props["first"]]
    assert (shown[0][0][-7:], shown[0][2]) == ("or less", "0\u00a0sat")
    assert (shown[-1][0][-7:], shown[-1][2]) == ("or more", "1,200,000\u00a0sat")
    assert not head.props["spends"]


async def test_who_only_looks_is_refused_by_every_act(visit: Enter, forwards: FakeForward) -> None:
    visitor = await visit("anna")
    await visitor.user.open(PAGE)
    tell(visitor, PaymentHead, name="save-offer")
    assert await notice_code(visitor.user) == "access.forbidden"
    for name in ("words", "ask"):
        tell(visitor, PaymentHead, name=name)
    tell(visitor, FileBox, name="attestation", text=b64(b"word"))
    tell(visitor, SealBox, sealed=b64(b"sealed"))
    tell(visitor, PaymentHead, name="offer")
    await visitor.user.should_see("Offer the forward")
    tell(visitor, FileBox, at=1, name="miner", text=b64(b"announced"))
    await visitor.user.should_see("[access.forbidden]")
    assert forwards.told == []
    assert not [one for one in elements(visitor.user, CopyText) if one.props["test"] == "document"]


async def test_a_forward_is_taken_in_its_dialog_which_keeps_a_refusal(visit: Enter, forwards: FakeForward) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/forward/{FRESH}")
    tell(visitor, PaymentHead, name="take")
    await visitor.user.should_see("Take their offer")
    tell(visitor, FileBox, at=1, name="their offer", text="no base64!")
    await visitor.user.should_see("paste the whole of what was signed [request.malformed]")
    visitor.user.find("Our stake, as txid:vout").type("ab:0")
    tell(visitor, FileBox, at=1, name="their offer", text=b64(b"offer"))

    async def taken() -> bool:
        return len(forwards.told) == 1

    await eventually(taken)
    (what, wish) = forwards.told[0]
    assert (what, wish.stake, wish.offer) == ("take", "ab:0", b"offer")


async def test_people_sign_deed_and_funding_elsewhere(visit: Enter, forwards: FakeForward) -> None:
    visitor = await visit("tess")
    await visitor.user.open(PAGE)
    (deed,) = elements(visitor.user, SealBox)
    assert deed.props["first"]["to_sign"] == b64(b"the deed")
    tell(visitor, SealBox, sealed=b64(b"owner"))
    await told(forwards, ("deed", b"owner"))
    tell(visitor, PaymentHead, name="words")
    await visitor.user.should_see("Propose or approve the funding")
    people = elements(visitor.user, SealBox)[1].props["first"]["people"]
    assert people[0] == {"name": "Anna", "to_sign": b64(b"Anna signs")}
    assert [one["name"] for one in people] == ["Anna", "Ben", "Rosa"]
    tell(visitor, SealBox, at=1, sealed=b64(b"foreign"))
    await visitor.user.should_see("nobody of the policy signed this [forward.bad-approval]")
    tell(visitor, SealBox, at=1, sealed=b64(b"Anna"))
    await told(forwards, ("deed", b"owner"), ("word", b"Anna"))


async def test_files_go_to_the_step_that_awaits_them(visit: Enter, forwards: FakeForward) -> None:
    visitor = await visit("tess")
    await visitor.user.open(PAGE)
    tell(visitor, FileBox, name="accept", text=b64(b"accept"))
    await told(forwards, ("promise", b"accept"))
    tell(visitor, FileBox, name="attestation", text=b64(b"word"))
    await told(forwards, ("promise", b"accept"), ("attest", b"word"))
    tell(visitor, PaymentHead, name="save-offer")
    await visitor.user.should_see("Our offer document")
    (document,) = (one for one in elements(visitor.user, CopyText) if one.props["test"] == "document")
    assert (document.props["text"], document.props["binary"]) == (b64(b"sealed\xffoffer"), True)


@pytest.mark.parametrize(
    ("changes", "now", "awaited", "offers"),
    [
        ({"phase": "offered", "their_stake": ""}, "offered", "accept", ["save-offer"]),
        ({"phase": "promised"}, "promised", "", ["save-offer"]),
        ({"phase": "promised", "offered": False}, "promised", "sign", ["save-offer"]),
        ({"phase": "signed", "deed_signed": 2}, "signed", "", ["save-offer", "return"]),
        ({"phase": "funded", "deed_signed": 2}, "funded", "attestation", ["save-offer"]),
        ({"phase": "closing", "closing": "refund"}, "refund", "", ["save-offer"]),
        ({"phase": "closing", "closing": "return"}, "return", "", ["save-offer"]),
        ({"phase": "closed", "closing": "settlement"}, None, "", ["save-offer"]),
    ],
)
def test_each_phase_offers_what_can_be_done_in_it(
    forwards: FakeForward, changes: dict[str, Any], now: str | None, awaited: str, offers: list[str]
) -> None:
    view = msgspec.structs.replace(forwards.forward(FORWARD), refused_by="", **changes)
    assert next((step["name"] for step in steps(view) if step["state"] == "now"), None) == now
    assert awaited_file(view) == awaited
    assert [act["name"] for act in acts(view)] == offers


def test_a_deed_before_the_other_stake_is_known_is_said_to_be_of_little_use(forwards: FakeForward) -> None:
    view = msgspec.structs.replace(forwards.forward(FORWARD), phase="offered", their_stake="")
    assert "for the way back only" in deed_to_sign(view)["text"]
    assert deed_to_sign(msgspec.structs.replace(view, phase="funded"))["to_sign"] == ""


async def test_a_contract_of_another_form_has_no_page_of_a_forward(visit: Enter) -> None:
    visitor = await visit("vera")
    await visitor.user.open(f"/treasury/forward/{VAULT}")
    await visitor.user.should_see("is a treasury-vault")


async def test_without_a_node_the_forward_still_stands(
    site: Operations, treasury: FakeTreasury, forwards: FakeForward
) -> None:
    treasury.trouble = "connection refused"
    kept = await Feed(site.clock, all_topics(site, treasury, forwards)).newest(Key("forward", "", FORWARD))
    assert kept.content["figures"][1]["also"] == ""
