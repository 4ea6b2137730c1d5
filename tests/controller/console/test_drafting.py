"""The form of a contract: every kind can be drafted by it, and what is wrong is told at its field."""

import json
from typing import Any

import msgspec
import pytest

from controller.console.drafting.agreement import sections
from controller.console.drafting.document import contract_document, key_text, plain, refusal
from controller.console.drafting.template import kinds
from controller.console.pages.treasury.policy import first_of
from controller.console.parts.form import FormBox
from controller.console.parts.panel import Sentences
from controller.console.topics.treasury.contract import policy_lines
from controller.console.topics.treasury.policy import effect
from controller.contracts.compiled import Compiled
from controller.treasury.form import Template, read
from controller.views.treasury import ComingPolicy
from shared.bitcoin.address import address_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.errors import BesError, Malformed
from tests.controller.console.conftest import Enter
from tests.controller.console.fake_treasury import HEIGHT, VAULT, FakeTreasury
from tests.controller.console.test_pages import elements, eventually, sheet
from tests.controller.contracts.scene import OWNERS, PEOPLE, extended_key, static_key

KRAKEN, OTHER = (address_of(p2wpkh(bytes.fromhex(static_key(number))), Network.REGTEST) or "" for number in (30, 31))
FILLED: dict[str, dict[str, Any]] = {
    "treasury-vault": {"signers": ["Anna", "Ben", "Carl"], "recovery": "Rosa"},
    "operating-wallet": {"signers": ["Anna", "Ben", "Carl"], "recovery": "Rosa"},
    "decaying-quorum": {"signers": ["Anna", "Ben", "Carl"]},
    "staged-recovery": {"signers": ["Anna", "Ben", "Carl"], "deputies": ["Dora", "Emil"], "last": "Rosa"},
    "dated-reserve": {"signers": ["Anna", "Ben", "Carl"], "opens_at_height": HEIGHT + 5_000},
    "batch-payout": {"wallet": {"signers": ["Anna", "Ben", "Carl"], "recovery": "Rosa"}, "payees": ["Kraken", "Power"]},
    "revenue-split": {
        "wallet": {"signers": ["Anna", "Ben", "Carl"], "recovery": "Rosa"},
        "shares": [{"payee": "Kraken", "weight": 7}, {"payee": "Power", "weight": 3}],
    },
    "power-escrow": {
        "miner": "Anna",
        "supplier": "Ben",
        "arbiter": "Carl",
        "refund": "Rosa",
        "deadline_height": HEIGHT + 5_000,
    },
    "hashrate-forward": {
        "miner": "Anna",
        "buyer": "Ben",
        "hedge": {
            "hashrate_ghs": 1_000_000,
            "duration_s": 2_592_000,
            "reward_sat": 312_500_000,
            "price_sat": 5_000_000,
            "miner_collateral_sat": 2_000_000,
            "buyer_collateral_sat": 2_000_000,
        },
        "oracle_key": "07" * 32,
        "event_id": "difficulty",
        "unit": 100_000_000,
        "settle_height": HEIGHT + 4_000,
        "refund_height": HEIGHT + 6_000,
        "miner_address": KRAKEN,
        "buyer_address": KRAKEN,
        "fee_rate_sat_vb": 5,
    },
    "free-policy": {"policy": "or(9@thresh(2,pk(Anna),pk(Ben),pk(Carl)),and(pk(Rosa),older(4320)))"},
}


def put(document: dict[str, Any], path: str, value: Any) -> None:
    *keys, last = path.split(".")
    for key in keys:
        document = document.setdefault(key, {})
    document[last] = value


def written(kind: str, **changes: Any) -> str:
    """As the browser builds it: first values of every field, then what a person filled in."""
    document: dict[str, Any] = {"template": {"type": kind}, "agreement": {"network": "regtest"}}
    fields = [one for part in sections(HEIGHT) for one in part["fields"]]
    fields += next(one["fields"] for one in kinds() if one["type"] == kind)
    for field in fields:
        put(document, field["path"], [] if field["kind"] == "lines" else field["first"])
    document["template"] |= {
        name: document["template"].get(name, {}) | value if isinstance(value, dict) else value
        for name, value in FILLED[kind].items()
    }
    used = json.dumps(FILLED[kind])
    agreement = document["agreement"]
    agreement["name"] = "Reserve"
    agreement["parties"] = [
        {"name": name, "person": "edge-1" if name == "Anna" else name, "key": extended_key(place), "role": "signer"}
        for place, name in enumerate(PEOPLE)
        if f'"{name}"' in used or f"({name})" in used
    ]
    agreement["owners"] = [owner.verify_key.encode().hex() for owner in OWNERS]
    agreement["approvers"] = [
        {"name": name, "person": name, "role": "approver", "public_key": owner.verify_key.encode().hex()}
        for name, owner in zip(PEOPLE, OWNERS, strict=False)
    ]
    agreement["allow_list"] = [
        {"name": name, "address": address, "added_at_height": HEIGHT}
        for name, address in (("Kraken", KRAKEN), ("Power", OTHER))
    ]
    for path, value in changes.items():
        put(document, path.replace("__", "."), value)
    return json.dumps(document)


def test_the_form_knows_every_kind_of_contract() -> None:
    known = {one.__struct_config__.tag for one in Template.__args__}
    assert [one["type"] for one in kinds()] == [*dict.fromkeys(one["type"] for one in kinds())]
    assert {one["type"] for one in kinds()} == known == FILLED.keys()
    assert len(known) == 10


def drafted(text: str, treasury: FakeTreasury) -> Compiled:
    form = read(contract_document(text, treasury.boxes))
    return form.template.compile(form.agreement.agreement())


@pytest.mark.parametrize("kind", FILLED)
def test_every_field_of_a_kind_stands_in_its_form_and_compiles(treasury: FakeTreasury, kind: str) -> None:
    assert read(contract_document(written(kind), treasury.boxes)).boxes == ("box-one",)
    assert drafted(written(kind), treasury).terms.template == kind


@pytest.mark.parametrize(
    ("change", "place", "text"),
    [
        ({"template__recovery_after_blocks": 70_000}, "", "70,000 blocks; a lock counts 1 to 65,535 blocks"),
        ({"template__needed": "two"}, "template.needed", "Write a whole number here."),
        ({"template__recovery": "Zoe"}, "agreement.parties", "'Zoe' is none of the parties"),
        ({"agreement__name": " "}, "agreement.name", "Give the contract a name"),
        (
            {"agreement__owners": ["07" * 32, "nonsense"]},
            "agreement.owners[1]",
            "Line 2: This is no public key: write 64 hex digits",
        ),
        ({"agreement__limits__per_tx_sat": 0}, "agreement.limits.per_tx_sat", "Limits rise"),
        ({"agreement__limits__fee_sat": -1}, "agreement.limits.fee_sat", ">= 0"),
        (
            {"agreement__allow_list": [{"name": "Foe", "address": "bc1qnope", "added_at_height": 1}]},
            "agreement.allow_list",
            "Foe: ",
        ),
        (
            {"agreement__approvers": [{"name": "", "person": "A", "role": "approver", "public_key": "07" * 32}]},
            "agreement.approvers[0].name",
            "Line 1, name: Write something here.",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    treasury: FakeTreasury, change: dict[str, Any], place: str, text: str
) -> None:
    with pytest.raises(BesError) as caught:
        drafted(written("treasury-vault", **change), treasury)
    said = refusal(caught.value)
    assert said["place"] == place
    assert text in said["text"]


def test_what_is_no_form_is_malformed(treasury: FakeTreasury) -> None:
    with pytest.raises(Malformed):
        contract_document("{", treasury.boxes)
    for text in ("[]", '{"agreement": 3}', '{"agreement": {"owners": 3, "approvers": [1], "parties": [[]]}}'):
        with pytest.raises(Malformed):
            read(contract_document(text, treasury.boxes))


def test_keys_are_taken_as_tools_print_them() -> None:
    assert key_text(" 07" + "07" * 31, "here") == "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
    for wrong in ("BwcHBw==", "07" * 33, "", None, 7):
        with pytest.raises(Malformed, match="here"):
            key_text(wrong, "here")
    assert plain("body: Object missing required field `per_tx_sat` - at `$.x`") == "“per tx sat” is missing."


def asked(box: FormBox, name: str, **args: Any) -> None:
    listener = next(one for one in box._event_listeners.values() if one.type == name)
    box._handle_event({"listener_id": listener.id, "args": args})


async def test_a_draft_is_written_down_by_who_may_and_by_nobody_else(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open("/treasury/draft")
    (box,) = elements(visitor.user, FormBox)
    assert [one["name"] for one in box.props["first"]["agreement"]["parties"]] == ["edge-1", "edge-2", "edge-3"]
    asked(box, "send", text=written("treasury-vault", template__needed=9))
    asked(box, "send", text=written("treasury-vault"))

    async def written_down() -> bool:
        return len(treasury.drafted) == 1

    await eventually(written_down)
    visitor = await visit("vera")
    await visitor.user.open("/treasury/draft")
    assert elements(visitor.user, FormBox) == []


def amended(treasury: FakeTreasury, **limits: int) -> str:
    assert treasury.view.policy is not None
    document = first_of(treasury.view.policy)
    document["allow_list"] = [
        *document["allow_list"][1:],
        {"name": "Rent", "address": OTHER, "added_at_height": HEIGHT},
    ]
    document["limits"] |= limits
    return json.dumps(document)


async def test_a_policy_is_changed_with_the_difference_in_sight(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/policy/{VAULT}")
    (said,) = elements(visitor.user, Sentences)
    assert "not before block 240,256" in said.props["first"]["lines"][0]
    (box,) = elements(visitor.user, FormBox)
    asked(box, "send", text=amended(treasury, per_tx_sat=5_000_000_000))
    asked(box, "send", text=amended(treasury, per_tx_sat=500_000_000))

    async def drafted() -> bool:
        return treasury.view.pending is not None

    await eventually(drafted)
    await visitor.user.open(f"/treasury/contract/{VAULT}")
    changes = sheet(visitor.user, "What changes").props["first"]
    assert [(row["cells"][0], row["cells"][3]["text"]) for row in changes] == [
        ("Destination", "may not be paid any more"),
        ("Destination", "may be paid"),
        ("One payment", "allows less"),
    ]
    await visitor.user.open(f"/treasury/policy/{VAULT}")
    await visitor.user.should_see("A policy waits already")


async def test_only_who_may_spend_changes_a_policy(visit: Enter, treasury: FakeTreasury) -> None:
    visitor = await visit("tess")
    await visitor.user.open(f"/treasury/policy/{VAULT}")
    (box,) = elements(visitor.user, FormBox)
    await visit("vera")
    await visitor.user.open(f"/treasury/policy/{VAULT}")
    assert elements(visitor.user, FormBox) == []
    assert box.props["action"] == "Draft the new policy"
    assert treasury.view.pending is None


def test_a_policy_that_comes_says_from_which_block_on(treasury: FakeTreasury) -> None:
    view = treasury.view
    assert view.policy is not None
    later = msgspec.structs.replace(view.policy, policy_version=4, cooling_blocks=0)
    view = msgspec.structs.replace(view, coming=ComingPolicy(policy=later, from_height=HEIGHT + 12))
    (line,) = policy_lines(view, HEIGHT)
    assert line.replace("\u00a0", " ") == "Version 4 counts from block 240,124 on, in 12 blocks ≈ 2 h."
    assert effect(later, view.policy, HEIGHT) == "It counts as soon as every box has taken it."


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"approvals_needed": 3}, False),
        ({"allow_list": ()}, False),
        ({"approvals_needed": 1}, True),
        ({"approvals_needed": 3, "cooling_blocks": 200}, True),
        ({}, True),
    ],
)
def test_what_only_takes_away_does_not_wait(treasury: FakeTreasury, changes: dict[str, Any], waits: bool) -> None:
    before = treasury.view.policy
    assert before is not None
    said = effect(before, msgspec.structs.replace(before, **changes), HEIGHT)
    assert ("not before block 240,256" in said) is waits
