"""An answer that comes while we cannot take it in is not lost; what nobody can read is counted and dropped."""

import asyncio

import pytest
from nacl.signing import SigningKey
from structlog.testing import capture_logs

from controller.contracts.model import Phase
from controller.treasury import belated
from controller.treasury.boxes import BoxDirectory
from controller.treasury.post import Post
from shared.errors import StorageFull
from tests.controller.signing.conftest import safe, stage
from tests.controller.treasury.conftest import ANNA, BEN, SITE, House

__all__ = ["safe", "stage"]  # fixtures


async def _full(*_commit: object) -> None:
    raise StorageFull("journal.db: no room")


@pytest.fixture
def post(stage) -> Post:
    """Beside the money door, in the place of the controller's."""
    addresses = {address for contract in stage.contracts.values() for address in contract.boxes.values()}
    boxes = BoxDirectory((one.site, one.node, one.public_key.hex()) for one in addresses)
    made = Post(stage, boxes, SigningKey(b"o" * 32), stage.clock)
    made.bind(None, stage.service, None)  # type: ignore[arg-type]
    return made


@pytest.fixture
async def answers(stage, safe) -> list[tuple[str, str, bytes]]:
    """Of both boxes that were asked for a payment."""
    progress = await stage.propose(safe)
    await stage.approve(progress.proposal_id)
    for dispatcher in stage.dispatchers:
        await dispatcher.deliver_due()
    return [(site, node, stage._box_at(node, packet).answer(packet)) for site, node, packet in stage.published]


async def test_a_registration_that_found_the_disk_full_is_written_when_there_is_room(house: House, monkeypatch) -> None:
    contract = await house.sealed()
    post, book = house.treasury.post, house.treasury.contracts.book
    with monkeypatch.context() as patched:
        patched.setattr(house.treasury._journal, "commit", _full)
        for box in (ANNA, BEN, ANNA):
            await post.arrived(SITE, box.node, box.registered(contract.contract_id))
        assert len(post.belated) == 2  # the same bytes wait once
        pauses = []
        for _ in range(8):
            await post.belated.read_again(post._read_again)
            pauses.append(post.belated.pause_s)
        assert (pauses[:3], pauses[-1]) == ([2.0, 4.0, 8.0], belated.LONGEST_PAUSE_S)
        assert book.get(contract.contract_id).phase is Phase.APPROVED
    await post.belated.read_again(post._read_again)
    assert book.get(contract.contract_id).phase is Phase.REGISTERED
    assert (len(post.belated), post.belated.given_up, post.refused) == (0, 0, 0)
    assert post.belated.pause_s == belated.FIRST_PAUSE_S


async def test_signatures_that_found_the_disk_full_are_not_lost(stage, post, answers, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stage.journal, "commit", _full)
        for site, node, answer in answers:
            await post.arrived(site, node, answer)
    (progress,) = stage.board.open()
    assert not progress.signatures
    post.belated.pause_s = 0.01
    running = asyncio.create_task(post.run())
    async with asyncio.timeout(10):
        while len(post.belated):
            await asyncio.sleep(0.01)
    running.cancel()
    await stage.run()
    assert list(stage.chain.mempool) == [progress.proposal.txid]


async def test_signatures_that_come_before_the_node_was_asked_wait_for_it(stage, post, answers) -> None:
    contracts, stage.contracts = stage.contracts, {}
    for site, node, answer in answers:
        await post.arrived(site, node, answer)
    assert (len(post.belated), post.refused) == (2, 0)
    await post.belated.read_again(post._read_again)
    stage.contracts = contracts
    await post.belated.read_again(post._read_again)
    (progress,) = stage.board.open()
    assert set(progress.signatures["quorum"]) == {"a", "b"}
    assert len(post.belated) == 0


async def test_what_waits_is_bounded_in_number_and_time(stage, post, answers, monkeypatch) -> None:
    monkeypatch.setattr(belated, "MOST_WAITING", 1)
    stage.contracts = {}
    with capture_logs() as told:
        for site, node, answer in answers:
            await post.arrived(site, node, answer)
        assert (len(post.belated), post.belated.given_up) == (1, 1)
        stage.clock.ms += int(belated.KEEP_S * 1_000) + 1
        await post.belated.read_again(post._read_again)
    assert (len(post.belated), post.belated.given_up) == (0, 2)
    assert [one["event"] for one in told].count("treasury.answer-given-up") == 2


async def test_what_cannot_be_read_or_believed_is_counted_and_dropped(house: House) -> None:
    contract = await house.sealed()
    post = house.treasury.post
    with capture_logs() as told:
        await post.arrived(SITE, "anna", b"\x00")
        await post.arrived(SITE, "anna", BEN.registered(contract.contract_id))  # another box's seal
    assert [(one["event"], one["refused"]) for one in told] == [
        ("treasury.packet-refused", 1),
        ("treasury.packet-refused", 2),
    ]
    assert len(post.belated) == 0


async def test_a_report_or_a_question_of_a_witness_does_not_wait(house: House, monkeypatch) -> None:
    post = house.treasury.post

    async def away(*_packet: object) -> None:
        raise StorageFull("no room")

    monkeypatch.setattr(house.treasury.signing.conductor, "box_lives", away)
    await post.arrived(SITE, "anna", ANNA.report(3))
    assert (len(post.belated), post.refused) == (0, 1)
