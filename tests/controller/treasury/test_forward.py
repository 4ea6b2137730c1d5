"""A forward at the treasury's desk: by REST, by packets to a real signing box, and as what owners sign."""

import asyncio

import httpx
import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.service import Equipment, Identity, SigningBox
from controller.api import build
from controller.contracts.forward import ForwardDelivery, ForwardPhase
from controller.people.model import Actor, Permission, Role
from controller.people.service import People
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.views.forward import OfferWish, TakeOfferWish
from hardware_sims.oracle import DifficultyOracle, Question
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import Forbidden, Malformed, NotFound
from shared.wire.codec import encode
from shared.wire.contract import POLICY_DOMAIN
from shared.wire.forward import DEED_DOMAIN
from tests.agent.signer.scene import OWNERS, Box, MemoryKeys, at
from tests.controller.api.conftest import ORIGIN, PASSWORD
from tests.controller.console.fake_site import operations
from tests.controller.contracts.forward.scene import KEYS, SECRETS, agreement_of, form_of
from tests.controller.treasury.conftest import ANNA, SITE, House

VIEWER = Actor(name="vera", permissions=frozenset({Permission.VIEW}), key="v")
CAROL = Actor(name="carol", permissions=frozenset({Permission.VIEW, Permission.SPEND}), key="c")
ORACLE = DifficultyOracle(b"\x0b" * 32)
QUESTION = Question(height=200, unit=1, base=2, nb_digits=4, maturity_s=1_699_400_000)
THEIR_DESK = SigningKey(b"\x51" * 32)
STAKES = {"miner": "ab" * 32 + ":0", "buyer": "cd" * 32 + ":1"}
"""Coins that nobody has; nothing of this reaches the chain."""


async def registered(house: House) -> str:
    compiled = form_of(QUESTION, ORACLE.public_key).compile(agreement_of("buyer"))
    contract = await house.treasury.contracts.draft(compiled, (ANNA.box_id,), actor="Ida")
    for owner in OWNERS[:2]:
        sealed = seal(POLICY_DOMAIN, compiled.policy, [owner])
        contract = await house.treasury.contracts.approve(contract.contract_id, sealed, actor="owner")
    await house.treasury.post.arrived(SITE, ANNA.node, ANNA.registered(contract.contract_id))
    return contract.contract_id


def wish(side: str = "buyer") -> OfferWish:
    announced = ORACLE.announce(QUESTION)
    desk = THEIR_DESK.verify_key.encode().hex()
    return OfferWish(side=side, stake=STAKES["buyer"], announcement=announced, their_desk=desk)


async def test_who_only_looks_begins_nothing(house: House) -> None:
    desk, of = house.treasury.forward_desk, await registered(house)
    taking = TakeOfferWish(stake=STAKES["buyer"], offer=b"", their_desk=wish().their_desk)
    for work in (
        desk.offer(of, wish(), VIEWER),
        desk.take_offer(of, taking, VIEWER),
        desk.take_promise(of, b"", VIEWER),
        desk.sign_deed(of, b"", VIEWER),
        desk.to_sign(of, "Ida", VIEWER),
        desk.word(of, b"", VIEWER),
        desk.attest(of, b"", VIEWER),
        desk.take_back(of, VIEWER),
        desk.ask_again(of, VIEWER),
    ):
        with pytest.raises(Forbidden):
            await work
    with pytest.raises(Forbidden):
        desk.document(of, "offer", VIEWER)


async def test_a_wish_is_read_before_anything_begins(house: House) -> None:
    desk, of = house.treasury.forward_desk, await registered(house)
    assert desk.stake(of, "buyer").amount_sat > 600_000
    with pytest.raises(Malformed, match="side"):
        desk.stake(of, "both")
    with pytest.raises(Malformed, match="stake"):
        await desk.offer(of, msgspec.structs.replace(wish(), stake="ab:0"), CAROL)
    await desk.offer(of, wish(), CAROL)
    with pytest.raises(NotFound):
        desk.document(of, "sign", CAROL)


async def test_its_terms_can_be_read_before_anything_begins(house: House) -> None:
    desk, of = house.treasury.forward_desk, await registered(house)
    assert desk.find(of) is None
    terms = desk.terms(of)
    assert [(one.difficulty, one.miner_sat, one.buyer_sat) for one in terms.payouts[-1:]] == [(2, 1_200_000, 0)]
    assert (terms.price_sat, terms.settle_height) == (1_200_000, QUESTION.height)
    await desk.offer(of, wish(), CAROL)
    assert desk.find(of) == desk.forward(of)


async def test_by_rest_an_offer_goes_out_as_bytes(house: House, people: People) -> None:
    of = await registered(house)
    app = build(
        operations(SystemClock(), 20), people, treasury=house.treasury.desk, forwards=house.treasury.forward_desk
    )
    begin = msgspec.to_builtins(wish())
    one = f"/api/v1/contracts/{of}/forward"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=ORIGIN, headers={"origin": ORIGIN}
    ) as client:
        assert (await client.get(one)).status_code == 401
        await people.add_user("tess", PASSWORD, Role.TREASURER, one_time=False)
        await client.post("/api/v1/session", json={"name": "tess", "password": PASSWORD})
        missing = await client.get(one)
        assert missing.json()["rule"] == "forward.unknown"
        assert (await client.get(one + "/stakes/buyer")).json()["amount_sat"] > 600_000
        made = await client.post(one, json=begin)
        assert made.status_code == 201, made.text
        assert (made.json()["phase"], made.json()["documents"]) == ("offered", ["offer"])
        document = await client.get(one + "/documents/offer")
        assert document.content == house.treasury.forward_desk.document(of, "offer", CAROL)
        wrong = await client.post(one + "/promise", content=b"nonsense")
        assert wrong.json()["rule"] == "forward.not-theirs"
        assert (await client.post(one + "/promise", content=bytes((1 << 20) + 1))).status_code == 413


async def test_the_box_is_asked_by_packets_and_its_promises_come_home(house: House, tmp_path) -> None:
    of = await registered(house)
    contract = house.treasury.contracts.book.get(of)
    keys = MemoryKeys()
    keys.secrets[KEYS["buyer"]] = SECRETS["buyer"]
    parts = Box(tmp_path, keys=keys, key=ANNA.key, changed=msgspec.structs.asdict(contract.terms))
    await parts.ledger.open()
    await parts.registry.register(contract.terms, contract.policies[0].sealed, at(100))
    parts.clock.now = at(100)
    answers: list[bytes] = []

    def heard(raw: bytes) -> bool:
        answers.append(raw)
        return True

    equipment = Equipment(
        ledger=parts.ledger,
        registry=parts.registry,
        clock=parts.clock,
        keys=keys,
        rounds=parts.rounds,
        judge=parts.judge,
        now_ms=lambda: parts.now_ms,
        publish=heard,
        patience_s=1.0,
    )
    operator = SigningKey(b"o" * 32).verify_key
    box = SigningBox(Identity(SITE, ANNA.node, ANNA.key), {key_id(operator): operator}, equipment)
    desk = house.treasury.forward_desk
    await desk.offer(of, wish(), CAROL)
    state = house.treasury.forwards.book.get(of)
    assert state.phase is ForwardPhase.OFFERED
    for owner in OWNERS[:2]:
        await desk.sign_deed(of, seal(DEED_DOMAIN, state.deed, [owner]), CAROL)
    await desk.take_back(of, CAROL)
    made = house.treasury
    delivery = ForwardDelivery(made.post, made.chain, made.forwards.book, made.contracts.book, lambda: 1)
    (entry,) = await SqliteOutbox(house.treasury._journal._store).take("forward", 1 << 50, 5)
    await delivery.deliver(entry)
    node, packet = house.broker.sent[-1]
    assert (node, packet.kind) == (ANNA.node, "forward")
    await box.receive(encode(packet))
    async with asyncio.timeout(10):
        while not answers:
            await asyncio.sleep(0.01)
    await house.treasury.post.arrived(SITE, ANNA.node, answers[0])
    view = desk.forward(of)
    assert (view.phase, view.closing) == ("closing", "return"), view.refused
    await box.close()
    await parts.close()


async def test_the_view_says_what_is_awaited(house: House) -> None:
    desk, of = house.treasury.forward_desk, await registered(house)
    await desk.offer(of, wish(), CAROL)
    assert desk.forward(of).awaited == "the other side's accept document"
    assert desk.forward(of).deed_needed == 2
