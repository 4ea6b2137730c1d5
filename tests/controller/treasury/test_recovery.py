"""The recovery ceremony from the controller's side, up to the witnesses' own judgement."""

import pytest
from nacl.signing import SigningKey

from controller.people.model import Actor, Permission
from controller.treasury.recovery import codec
from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import Denied, Forbidden, Malformed, NotFound
from shared.wire.codec import decode, encode
from shared.wire.envelope import Envelope
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart
from shared.wire.signing import (
    AcceptRestart,
    domain,
)
from tests.controller.treasury.conftest import ANNA, BEN, SITE, House

CAROL = Actor(name="carol", permissions=frozenset({Permission.VIEW, Permission.SPEND}), key="c")
VERA = Actor(name="vera", permissions=frozenset({Permission.VIEW}), key="v")
OWNERS = [SigningKey(bytes([one]) * 32) for one in (1, 2)]


async def test_the_owners_word_reaches_every_other_box_and_the_journal(house: House) -> None:
    desk = house.treasury.desk
    await house.treasury.post.arrived(SITE, "anna", ANNA.report(7))
    shown = desk.restart_document(ANNA.box_id, CAROL)
    assert shown.ceremony != desk.restart_document(ANNA.box_id, CAROL).ceremony
    document = decode(shown.to_sign, LedgerRestart)
    answers = [seal(RESTART_DOMAIN, document, [owner]) for owner in OWNERS]
    written = []
    house.treasury._journal.subscribe(written.extend)
    await desk.restart_box(ANNA.box_id, answers, CAROL)
    ((node, packet),) = house.broker.sent
    assert (node, packet.kind) == ("ben", "restart")
    operator = SigningKey(b"o" * 32).verify_key
    order, _ = unseal(domain("restart"), packet.sealed, {key_id(operator): operator}, AcceptRestart)
    trusted = {key_id(owner.verify_key): owner.verify_key for owner in OWNERS}
    read, signers = unseal(RESTART_DOMAIN, order.restart, trusted, LedgerRestart)
    assert (read, set(signers)) == (document, set(trusted))
    fact = codec.decode(written[0])
    assert (fact.ceremony, fact.sealed, written[0].actor) == (document.ceremony, order.restart, "carol")


async def test_a_box_that_was_not_heard_has_no_document(house: House) -> None:
    with pytest.raises(Denied) as denied:
        house.treasury.desk.restart_document(ANNA.box_id, CAROL)
    assert denied.value.rule == "treasury.box-unheard"
    with pytest.raises(NotFound):
        house.treasury.desk.restart_document("nobody", CAROL)
    with pytest.raises(Forbidden):
        house.treasury.desk.restart_document(ANNA.box_id, VERA)


async def test_answers_to_different_documents_are_not_sent(house: House) -> None:
    desk = house.treasury.desk
    await house.treasury.post.arrived(SITE, "anna", ANNA.report(7))
    documents = [decode(desk.restart_document(ANNA.box_id, CAROL).to_sign, LedgerRestart) for _ in range(2)]
    first, second = (seal(RESTART_DOMAIN, one, [OWNERS[0]]) for one in documents)
    for answers in ((first, second), (b"x",), (encode(Envelope(payload=b"x", signatures=())),)):
        with pytest.raises(Malformed):
            await desk.restart_box(ANNA.box_id, answers, CAROL)
    with pytest.raises(Malformed):  # another box's document
        await desk.restart_box(BEN.box_id, (first,), CAROL)
    with pytest.raises(Forbidden):
        await desk.restart_box(ANNA.box_id, (first,), VERA)
    assert not house.broker.sent
