"""What boxes say is believed by their seal alone; headers reach a box that stands on a lost branch."""

import msgspec
from nacl.signing import SigningKey

from controller.contracts.model import Phase
from controller.treasury import post as post_module
from controller.treasury.service import ASK_AGAIN_MS
from controller.views.treasury import UnfitView
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.wire.signing import BoxReport, HeadersBatch, RegistrationAnswer, UnfitContract, WitnessRequest, domain
from tests.controller.treasury.conftest import ANNA, BEN, SITE, Box, House


async def test_a_contract_is_registered_when_every_box_has_said_so(house: House) -> None:
    contract = await house.sealed()
    book, of = house.treasury.contracts.book, contract.contract_id
    await house.treasury.post.arrived(SITE, "anna", ANNA.registered(of))
    assert book.get(of).phase is Phase.APPROVED
    await house.treasury.post.arrived(SITE, "ben", BEN.registered(of))
    assert book.get(of).phase is Phase.REGISTERED


async def test_a_refusal_of_a_box_stands_with_its_rule(house: House) -> None:
    contract = await house.sealed()
    no = ANNA.registered(contract.contract_id, rule="terms.key", detail="not mine")
    await house.treasury.post.arrived(SITE, "anna", no)
    view = await house.treasury.desk.contract(contract.contract_id)
    assert view.pending is not None
    assert view.pending.refused == {ANNA.box_id: "terms.key: not mine"}


async def test_nobody_speaks_for_a_box(house: House) -> None:
    contract = await house.sealed()
    of, post = contract.contract_id, house.treasury.post
    forger = Box("anna", SigningKey(b"x" * 32))
    await post.arrived(SITE, "anna", forger.registered(of))  # a seal of nobody
    await post.arrived(SITE, "anna", BEN.registered(of))  # of another box
    await post.arrived(SITE, "anna", ANNA.says("registered", msgspec.structs.replace(_answer(of), box_id=BEN.box_id)))
    await post.arrived(SITE, "stranger", ANNA.registered(of))  # from a node that is no box
    await post.arrived(SITE, "anna", b"\x00")
    pending = house.treasury.contracts.book.get(of).pending
    assert pending is not None
    assert not pending.registered
    await post.arrived(SITE, "anna", forger.report(7))
    assert [box.report for box in house.treasury.boxes.listed()] == [None, None]


async def test_a_contract_that_a_box_does_not_sign_for_is_shown_with_its_reason(house: House) -> None:
    told = msgspec.structs.replace(_report(3), unfit=(UnfitContract("ab" * 32, "its descriptor has no key of ours"),))
    await house.treasury.post.arrived(SITE, "anna", ANNA.says("report", told))
    heard = {box.box_id: box.unfit for box in (await house.treasury.desk.state()).boxes}
    assert heard == {ANNA.box_id: (UnfitView("ab" * 32, "its descriptor has no key of ours"),), BEN.box_id: ()}


async def test_what_boxes_ask_each_other_goes_to_the_others_only(house: House) -> None:
    asked = WitnessRequest(box_id=ANNA.box_id, seq=1, head=bytes(32), nonce=bytes(16))
    await house.treasury.post.arrived(SITE, "anna", ANNA.says("witness-request", asked))
    assert [(node, packet.kind) for node, packet in house.broker.sent] == [("ben", "witness-request")]


async def test_a_box_is_told_headers_once_for_each_tip_and_not_before_it_spoke(house: House) -> None:
    post, node, sent = house.treasury.post, house.treasury.node, house.broker.sent
    await house.mine(5)
    await post.tell_headers(node)
    assert sent == []
    await post.arrived(SITE, "anna", ANNA.report(3))
    for _ in range(3):
        await post.tell_headers(node)
    assert [(to, packet.kind) for to, packet in sent] == [("anna", "headers")]
    assert len(_headers(house)) == 5
    await post.arrived(SITE, "anna", ANNA.report(5))
    await post.tell_headers(node)
    assert len(sent) == 1


async def test_a_box_on_a_branch_that_was_reorganised_away_gets_the_headers_below_it(house: House) -> None:
    post, node = house.treasury.post, house.treasury.node
    await house.mine(5)
    await post.arrived(SITE, "anna", ANNA.report(5))
    await post.tell_headers(node)
    lost = await house.treasury.node.hash_at(4)
    await house.rpc.call(msgspec.Raw, "invalidateblock", lost)
    await house.mine(3)
    house.broker.sent.clear()
    await post.tell_headers(node)
    headers = _headers(house)
    assert len(headers) == (await node.tip()).height
    assert headers == await node.headers_from(1, 100)


async def test_a_box_whose_branch_parted_deep_gets_headers_from_below_the_parting(house: House, monkeypatch) -> None:
    monkeypatch.setattr(post_module, "OVERLAP_BLOCKS", 2)
    monkeypatch.setattr(post_module, "HEADERS_AT_ONCE", 8)
    post, node, sent = house.treasury.post, house.treasury.node, house.broker.sent
    await house.mine(40)
    whole = await node.headers_from(1, 100)
    known, height = set(whole[:10]), 30  # of its thirty headers the node knows the first ten; the rest is a lost branch
    for _ in range(8):
        await post.arrived(SITE, "anna", ANNA.report(height))
        sent.clear()
        await post.tell_headers(node)
        for headers in _batches(house):  # as a box: all of a batch, or nothing where it does not follow what is known
            if headers[0] in known or whole.index(headers[0]) == 0 or whole[whole.index(headers[0]) - 1] in known:
                known.update(headers)
        height = max(height, max(whole.index(one) for one in known) + 1)
    assert known == set(whole)
    assert height == (await node.tip()).height


async def test_a_box_that_was_away_long_catches_up_batch_by_batch(house: House, monkeypatch) -> None:
    monkeypatch.setattr(post_module, "OVERLAP_BLOCKS", 2)
    monkeypatch.setattr(post_module, "HEADERS_AT_ONCE", 10)
    post, node, sent = house.treasury.post, house.treasury.node, house.broker.sent
    await house.mine(35)
    whole, height, batches = await node.headers_from(1, 100), 0, 0
    while height < len(whole):
        await post.arrived(SITE, "anna", ANNA.report(height))
        sent.clear()
        await post.tell_headers(node)
        (headers,) = _batches(house)
        assert whole.index(headers[0]) <= height  # it follows what the box has
        height, batches = whole.index(headers[-1]) + 1, batches + 1
    assert batches <= 5


def _batches(house: House) -> list[tuple[bytes, ...]]:
    key = SigningKey(b"o" * 32).verify_key
    trusted = {key_id(key): key}
    packets = [packet for _, packet in house.broker.sent]
    return [unseal(domain("headers"), packet.sealed, trusted, HeadersBatch)[0].headers for packet in packets]


def _report(height: int) -> BoxReport:
    head = bytes(32)
    return BoxReport(box_id=ANNA.box_id, public_keys=(), ledger_seq=1, ledger_head=head, height=height, median_time_s=1)


def _answer(of: str) -> RegistrationAnswer:
    return RegistrationAnswer(request_id="r", box_id="", contract_id=of, policy_version=1, effective_height=0)


def _headers(house: House) -> tuple[bytes, ...]:
    key = SigningKey(b"o" * 32).verify_key
    batch, _ = unseal(domain("headers"), house.broker.sent[-1][1].sealed, {key_id(key): key}, HeadersBatch)
    return batch.headers


async def test_a_box_that_is_heard_and_has_not_answered_is_asked_again_now_and_then(house: House) -> None:
    of = (await house.sealed()).contract_id
    book = house.treasury.contracts.book
    await house.treasury.post.arrived(SITE, "anna", ANNA.registered(of))

    async def attempts(after_ms: int) -> int:
        house.clock.ms += after_ms
        await house.treasury.ask_again(book.get(of))
        pending = book.get(of).pending
        assert pending is not None
        return pending.attempts

    assert [await attempts(0), await attempts(ASK_AGAIN_MS)] == [0, 0]  # nobody was heard
    await house.treasury.post.arrived(SITE, "anna", ANNA.report(1))
    assert await attempts(1) == 0  # it has answered
    await house.treasury.post.arrived(SITE, "ben", BEN.report(1))
    assert [await attempts(1), await attempts(1), await attempts(ASK_AGAIN_MS - 3)] == [1, 1, 1]
