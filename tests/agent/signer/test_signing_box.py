"""Boxes behind their lines: packets in, packets out, and a controller that only carries words between them."""

import asyncio
from typing import TypeVar

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.clock.model import Taken
from agent.signer.ledger import EntryKind
from agent.signer.service import Equipment, Identity, SigningBox
from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import Denied
from shared.wire.codec import decode, encode
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart
from shared.wire.signing import (
    AcceptRestart,
    BoxReport,
    ChangePolicy,
    HeadersBatch,
    Packet,
    RegisterContract,
    RegistrationAnswer,
    SigningAnswer,
    WitnessRequest,
    domain,
)
from tests.agent.signer.scene import (
    HEIGHT,
    LIMITS,
    OPERATOR,
    OWNERS,
    Box,
    StandingClock,
    coin,
    payment,
    policy,
    public,
    sealed_policy,
)

T = TypeVar("T", bound=msgspec.Struct)
KEYS = [SigningKey(bytes([0x42 + n]) * 32) for n in range(3)]
ANSWERS = {"answer": SigningAnswer, "registered": RegistrationAnswer, "report": BoxReport}


class TakingClock(StandingClock):
    """Takes no headers."""

    def take(self, headers: tuple[bytes, ...]) -> Taken:
        return Taken(0, "header follows a block that is not known here")


class Site:
    """Three boxes; `heard` are their answers by kind."""

    def __init__(self, folder) -> None:
        self.heard: dict[str, list[msgspec.Struct]] = {kind: [] for kind in ANSWERS}
        self.silent: set[int] = set()
        self.scenes: list[Box] = []
        self.boxes: list[SigningBox] = []
        self._carried: set[asyncio.Task[None]] = set()
        for number, key in enumerate(KEYS):
            (folder / str(number)).mkdir()
            scene = Box(folder / str(number), key=key)
            equipment = Equipment(
                scene.ledger,
                scene.registry,
                TakingClock(),
                scene.keys,
                scene.rounds,
                scene.judge,
                lambda: 1_700_000_000_000,
                lambda packet, number=number: self._up(number, packet),
                0.5,
            )
            self.scenes.append(scene)
            operators = {key_id(OPERATOR.verify_key): OPERATOR.verify_key}
            self.boxes.append(SigningBox(Identity("tx1", "box-1", key), operators, equipment))

    async def open(self) -> None:
        for scene, box in zip(self.scenes, self.boxes, strict=True):
            await scene.ledger.open()
            await box.open()

    async def close(self) -> None:
        await asyncio.gather(*self._carried)
        for scene, box in zip(self.scenes, self.boxes, strict=True):
            await box.close()
            await scene.close()

    def _up(self, number: int, raw: bytes) -> bool:
        if number in self.silent:
            return False
        packet = decode(raw, Packet)
        kind = ANSWERS.get(packet.kind)
        if kind is not None:
            key = KEYS[number].verify_key
            self.heard[packet.kind].append(unseal(domain(packet.kind), packet.sealed, {key_id(key): key}, kind)[0])
            return True
        for other, box in enumerate(self.boxes):
            if other != number and other not in self.silent:
                self._carried.add(asyncio.create_task(box.receive(raw)))
        return True

    async def down(self, number: int, kind: str, message: msgspec.Struct) -> None:
        sealed = seal(domain(kind), message, [OPERATOR])
        await self.boxes[number].receive(encode(Packet(1, kind, sealed)))

    async def next(self, kind: str, count: int = 1) -> list[msgspec.Struct]:
        async with asyncio.timeout(10):
            while len(self.heard[kind]) < count:
                await asyncio.sleep(0.01)
        found, self.heard[kind] = self.heard[kind], []
        return found

    async def register(self) -> None:
        scene = self.scenes[0]
        document = policy(scene.subject, witnesses=tuple(map(public, KEYS)), witnesses_needed=2)
        order = RegisterContract(
            request_id="register-1", site="tx1", node="box-1", terms=scene.terms, policy=sealed_policy(document)
        )
        for number in range(3):
            await self.down(number, "register", order)
        assert {answer.rule for answer in await self.next("registered", 3)} == {""}


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_registered_asked_witnessed_signed_and_reported(site):
    await site.register()
    await site.down(0, "request", site.scenes[0].request(payment()))
    (answer,) = await site.next("answer")
    assert (answer.outcome, answer.detail) == ("signed", "")
    assert answer.box_id == key_id(KEYS[0].verify_key)
    for scene in site.scenes[1:]:
        assert EntryKind.WITNESSED in {row.kind for row in await scene.rows()}
    await site.boxes[0].tell()
    (report,) = await site.next("report")
    assert report.allowances[0].window_left_sat == LIMITS.window_sat - 102_000
    assert (report.ledger_seq, report.ledger_head) == (answer.ledger_seq, answer.ledger_head)
    assert report.height == HEIGHT


async def test_many_at_once_are_all_answered(site):
    await site.register()
    for salt in range(6):
        await site.down(0, "request", site.scenes[0].request(payment(coins=[coin(salt=salt)])))
    answers = await site.next("answer", 6)
    assert [answer.rule for answer in answers] == [""] * 6


async def test_witnesses_that_are_silent_stop_the_signature_and_not_the_next_one(site):
    await site.register()
    site.silent = {1}
    request = site.scenes[0].request(payment())
    await site.down(0, "request", request)
    (answer,) = await site.next("answer")
    assert answer.rule == "ledger.quorum"
    site.silent = set()
    await site.down(0, "request", msgspec.structs.replace(request, request_id="request-again"))
    (answer,) = await site.next("answer")
    assert answer.outcome == "signed", "debited before, signed now"


async def test_a_lost_answer_is_told_again(site):
    await site.register()
    request = site.scenes[0].request(payment())
    await site.down(0, "request", request)
    first = await site.next("answer")
    await site.down(0, "request", request)
    assert await site.next("answer") == first


async def test_a_policy_that_the_owners_did_not_sign_is_answered_and_noted(site):
    await site.register()
    scene = site.scenes[0]
    document = policy(scene.subject, policy_version=2)
    order = ChangePolicy(
        request_id="policy-002",
        site="tx1",
        node="box-1",
        contract_id=scene.subject,
        policy=sealed_policy(document, [SigningKey.generate()]),
    )
    await site.down(0, "policy", order)
    (answer,) = await site.next("registered")
    assert answer.rule == "register.owners"
    rows = await scene.rows()
    assert rows[-1].kind == EntryKind.REFUSAL
    await site.down(0, "policy", order)
    (again,) = await site.next("registered")
    assert again == answer
    assert await scene.rows() == rows, "a broker that plays it again fills no disk"


async def test_headers_that_do_not_follow_are_refused_by_name(site):
    with pytest.raises(Denied) as caught:
        await site.down(0, "headers", HeadersBatch(site="tx1", node="box-1", headers=(bytes(80),)))
    assert caught.value.rule == "request.malformed"


async def test_a_box_nobody_named_is_not_witnessed(site):
    await site.register()
    stranger = SigningKey.generate()
    rows = await site.scenes[0].rows()
    word = WitnessRequest(box_id=key_id(stranger.verify_key), seq=1, head=bytes(32), nonce=bytes(16))
    sealed = seal(domain("witness-request"), word, [stranger])
    with pytest.raises(Denied) as caught:
        await site.boxes[0].receive(encode(Packet(1, "witness-request", sealed)))
    assert caught.value.rule == "request.signature"
    assert await site.scenes[0].rows() == rows


async def test_headers_are_answered_by_a_report(site):
    site.boxes[0]._equipment.clock.take = lambda headers: Taken(len(headers))
    await site.down(0, "headers", HeadersBatch(site="tx1", node="box-1", headers=(bytes(80),)))
    (report,) = await site.next("report")
    assert report.box_id == key_id(KEYS[0].verify_key)


async def test_the_owners_word_about_a_ledger_comes_through_the_door_and_counts_once(site):
    await site.register()
    box_id = key_id(KEYS[0].verify_key)
    head = await site.scenes[0].ledger.head()
    restart = LedgerRestart(ceremony="ceremony-1", box_id=box_id, seq=head.seq, head=head.digest)
    order = AcceptRestart(site="tx1", node="box-1", restart=seal(RESTART_DOMAIN, restart, OWNERS[:1]))
    with pytest.raises(Denied) as few:
        await site.down(1, "restart", order)
    assert few.value.rule == "register.owners"
    order = msgspec.structs.replace(order, restart=seal(RESTART_DOMAIN, restart, OWNERS[:2]))
    await site.down(1, "restart", order)
    with pytest.raises(Denied) as again:
        await site.down(1, "restart", order)
    assert again.value.rule == "request.replay"
    assert EntryKind.WITNESSED in {row.kind for row in await site.scenes[1].rows()}
