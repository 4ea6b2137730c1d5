"""Packets of people and machines that may not speak to a box."""

import msgspec
import pytest
from nacl.signing import SigningKey

from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.codec import encode
from shared.wire.signing import (
    HeadersBatch,
    Packet,
    RegisterContract,
    WitnessRequest,
    domain,
)
from tests.agent.signer.scene import (
    OPERATOR,
    Box,
    payment,
    policy,
    sealed_policy,
)


class TestDoor:
    """A rogue broker or a stolen connection: who speaks is settled first."""

    def refused(self, box: Box, rule: str, raw: bytes) -> None:
        with pytest.raises(Denied) as caught:
            box.door.open(raw, {})
        assert caught.value.rule == rule, caught.value.detail

    def packet(self, message: msgspec.Struct, kind="request", key=OPERATOR, sealed_as=None) -> bytes:
        return encode(Packet(1, kind, seal(domain(sealed_as or kind), message, [key])))

    async def test_a_stranger(self, box):
        self.refused(box, "request.signature", self.packet(box.request(payment()), key=SigningKey.generate()))

    async def test_a_seal_of_another_kind(self, box):
        self.refused(box, "request.signature", self.packet(box.request(payment()), sealed_as="policy"))

    @pytest.mark.parametrize("changed", [{"site": "tx2"}, {"node": "box-2"}])
    async def test_addressed_to_another_box(self, box, changed):
        self.refused(box, "request.not-addressed", self.packet(box.request(payment(), **changed)))

    async def test_bytes_that_say_nothing(self, box):
        self.refused(box, "request.malformed", b"sign this hash: " + bytes(32))
        self.refused(box, "request.malformed", encode(Packet(1, "answer", b"")))
        self.refused(
            box, "request.malformed", self.packet(HeadersBatch(site="tx1", node="box-1", headers=(bytes(80),)))
        )

    async def test_an_honest_order_enters(self, box):
        request = box.request(payment())
        assert box.door.open(self.packet(request), {}) == request
        register = RegisterContract(
            request_id="register-1",
            site="tx1",
            node="box-1",
            terms=box.terms,
            policy=sealed_policy(policy(box.subject)),
        )
        assert box.door.open(self.packet(register, "register"), {}) == register

    async def test_a_box_that_speaks_for_another(self, box):
        peer, other = SigningKey.generate(), SigningKey.generate()
        peers = {key_id(key.verify_key): key.verify_key for key in (peer, other)}
        word = WitnessRequest(box_id=key_id(other.verify_key), seq=1, head=bytes(32), nonce=bytes(16))
        with pytest.raises(Denied, match="sealed by") as caught:
            box.door.open(self.packet(word, "witness-request", peer), peers)
        assert caught.value.rule == "request.signature"
