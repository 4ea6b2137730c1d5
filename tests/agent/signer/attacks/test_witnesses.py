"""Boxes that remember each other's ledgers: silence, lies, restored disks and cloned machines."""

import time

import pytest
from nacl.signing import SigningKey

from agent.signer.ledger import EntryKind
from agent.signer.sessions.ceremony import accept_restart
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart
from shared.wire.signing import WitnessAnswer
from tests.agent.signer.attacks.asking import refused
from tests.agent.signer.scene import (
    HEIGHT,
    OWNERS,
    Box,
    at,
    coin,
    payment,
    public,
)


def connect(box: Box, boxes: list[Box]) -> None:
    """It speaks to the others, and they to it."""
    for other in boxes:
        if other is not box:
            box.peers.append(other)
            other.peers = [peer for peer in other.peers if peer.id != box.id] + [box]


class Unwritable:
    """A ledger on a full disk."""

    def __init__(self, ledger) -> None:
        self.latest = ledger.latest

    async def record(self, *_: object, **__: object) -> None:
        raise Denied("ledger.unwritable", "the disk is full")


class TestWitnesses:
    """Three boxes; the policy asks for two witnesses of each head."""

    @pytest.fixture
    async def boxes(self, tmp_path):
        keys = [SigningKey(bytes([0x42]) * 32), *(SigningKey(bytes([0x70 + n]) * 32) for n in range(2))]
        made = []
        for number, key in enumerate(keys):
            (tmp_path / str(number)).mkdir()
            made.append(Box(tmp_path / str(number), key=key))
        for each in made:
            await each.open(witnesses=tuple(map(public, keys)), witnesses_needed=2)
            connect(each, made)
        yield made
        for each in made:
            await each.close()

    async def test_two_witnesses_remember_before_a_signature(self, boxes):
        first, *others = boxes
        assert (await first.ask(payment())).outcome == "signed"
        debit = next(row for row in await first.rows() if row.kind == EntryKind.DEBIT)
        for witness in others:
            (row,) = [row for row in await witness.rows() if row.kind == EntryKind.WITNESSED]
            assert row.subject == first.id
            assert debit.digest in row.body

    async def test_without_a_quorum_no_signature(self, boxes):
        first, second, _ = boxes
        first.peers = [second]
        await refused(first, payment(), "ledger.quorum")

    async def test_a_witness_that_cannot_write_does_not_count_and_does_not_hurry(self, boxes):
        first, second, third = boxes
        await first.ask(payment())
        second.witnesses._book._ledger = Unwritable(second.ledger)
        started = time.monotonic()
        await refused(first, payment(coins=[coin(salt=1)]), "ledger.quorum")
        assert time.monotonic() - started >= 0.4
        assert len(first.peers) == len([second, third])

    async def test_one_witness_is_not_two(self, boxes):
        first, second, _ = boxes
        first.peers = [second, second]
        await refused(first, payment(), "ledger.quorum")

    async def test_a_box_restored_from_an_old_image(self, boxes, tmp_path):
        first, *others = boxes
        for salt in range(3):
            await first.ask(payment(coins=[coin(salt=salt)]))
        (tmp_path / "old").mkdir()
        restored = await Box(tmp_path / "old", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        connect(restored, [restored, *others])
        await refused(restored, payment(coins=[coin(salt=9)]), "ledger.rollback")
        await restored.close()

    async def test_two_boxes_with_one_identity(self, boxes, tmp_path):
        """A clone that is as old as the original shows another row of the same number."""
        first, *others = boxes
        (tmp_path / "clone").mkdir()
        clone = await Box(tmp_path / "clone", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        assert (await first.ask(payment())).outcome == "signed"
        connect(clone, [clone, *others])
        await refused(clone, payment(coins=[coin(salt=9)]), "ledger.rollback")
        await clone.close()

    async def test_the_owners_let_a_restored_box_begin_anew(self, boxes, tmp_path):
        first, *others = boxes
        for salt in range(3):
            await first.ask(payment(coins=[coin(salt=salt)]))
        (tmp_path / "old").mkdir()
        restored = await Box(tmp_path / "old", key=first.key).open(
            witnesses=tuple(public(each.key) for each in boxes), witnesses_needed=2
        )
        connect(restored, [restored, *others])
        head = await restored.ledger.head()
        restart = LedgerRestart(ceremony="ceremony-1", box_id=first.id, seq=head.seq, head=head.digest)
        owners, now = [owner.verify_key for owner in OWNERS], at(HEIGHT)
        for witness in others:
            with pytest.raises(Denied) as caught:
                await accept_restart(witness.ledger, seal(RESTART_DOMAIN, restart, OWNERS[:1]), owners, 2, now)
            assert caught.value.rule == "register.owners"
            sealed = seal(RESTART_DOMAIN, restart, OWNERS[:2])
            await accept_restart(witness.ledger, sealed, owners, 2, now)
        assert (await restored.ask(payment(coins=[coin(salt=9)]))).outcome == "signed"
        with pytest.raises(Denied) as caught:
            await accept_restart(others[0].ledger, sealed, owners, 2, now)
        assert caught.value.rule == "request.replay"
        await restored.close()

    async def test_an_old_answer_is_no_answer(self, boxes):
        first, second, third = boxes
        heard: list[WitnessAnswer] = []
        for each in (second, third):
            each.hear = heard.append
        await refused(first, payment(), "ledger.quorum")
        for answer in heard:
            first.witnesses.answered(answer)
        first.peers = []
        await refused(first, payment(coins=[coin(salt=1)]), "ledger.quorum")
