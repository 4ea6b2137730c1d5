"""Hash-rate forwards: documents in and out, deed and words of people, the oracle's word."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.access import Treasurer, Viewer
from controller.api.shape import PERSON, Shapes, answer, body_of
from controller.api.treasury import Sealed
from controller.views.forward import ForwardView, OfferWish, StakeView, TakeOfferWish
from controller.views.ports import ForwardDesk
from shared.errors import TooLarge
from shared.wire.codec import MAX_MESSAGE_BYTES

_BYTES = "application/octet-stream"


class ForwardRoutes:
    def __init__(self, desk: ForwardDesk, shapes: Shapes) -> None:
        self._desk = desk
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives, takes = APIRouter(tags=["forwards"]), self._shapes.gives, self._shapes.takes
        add, forward = router.add_api_route, gives(ForwardView)
        one = "/contracts/{contract_id}/forward"
        add(one, self.forward, responses=forward)
        add(one + "/stakes/{side}", self.stake, responses=gives(StakeView))
        begun = gives(ForwardView, status=201)
        for path, begin, wish in ((one, self.offer, OfferWish), (one + "/offer", self.take_offer, TakeOfferWish)):
            extra = takes(wish) | PERSON
            add(path, begin, methods=["POST"], status_code=201, responses=begun, openapi_extra=extra)
        add(one + "/documents/{name}", self.document, responses=self._shapes.refuses())
        add(one + "/words/{person}", self.to_sign, responses=self._shapes.refuses())
        for name, work in (("deed", self.sign_deed), ("words", self.word)):
            add(f"{one}/{name}", work, methods=["POST"], responses=forward, openapi_extra=takes(Sealed) | PERSON)
        for name, told in (
            ("promise", self.take_promise),
            ("attestation", self.attest),
            ("return", self.take_back),
            ("boxes", self.ask_again),
        ):
            add(f"{one}/{name}", told, methods=["POST"], responses=forward, openapi_extra=PERSON)
        return router

    async def forward(self, contract_id: str, _actor: Viewer) -> Response:
        """How far it has come, what is awaited, and what we have to send."""
        return answer(self._desk.forward(contract_id))

    async def stake(self, contract_id: str, side: str, _actor: Viewer) -> Response:
        """The address and the exact amount of a side's stake."""
        return answer(self._desk.stake(contract_id, side))

    async def offer(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Begin as the one who offers."""
        return answer(await self._desk.offer(contract_id, await body_of(request, OfferWish), actor), status=201)

    async def take_offer(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Begin with the other side's offer; a field that differs from our contract is named."""
        wish = await body_of(request, TakeOfferWish)
        return answer(await self._desk.take_offer(contract_id, wish, actor), status=201)

    async def document(self, contract_id: str, name: str, actor: Treasurer) -> Response:
        """`offer`, `accept` or `sign`, as bytes for the other side."""
        return Response(self._desk.document(contract_id, name, actor), media_type=_BYTES)

    async def take_promise(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """The other side's accept or sign document, as bytes; an outcome that could not be enforced is named."""
        return answer(await self._desk.take_promise(contract_id, await _bytes(request), actor))

    async def sign_deed(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """An owner's signature on the deed."""
        return answer(await self._desk.sign_deed(contract_id, (await body_of(request, Sealed)).sealed, actor))

    async def to_sign(self, contract_id: str, person: str, actor: Treasurer) -> Response:
        """What a person of the policy signs for the funding, as bytes for `bes sign document`."""
        return Response(await self._desk.to_sign(contract_id, person, actor), media_type=_BYTES)

    async def word(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """A person's proposal of the funding, or approval."""
        return answer(await self._desk.word(contract_id, (await body_of(request, Sealed)).sealed, actor))

    async def attest(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """The oracle's word, as bytes; it is compared with the header of the chain."""
        return answer(await self._desk.attest(contract_id, await _bytes(request), actor))

    async def take_back(self, contract_id: str, actor: Treasurer) -> Response:
        """Take our stake back, as long as it is in no funding."""
        return answer(await self._desk.take_back(contract_id, actor))

    async def ask_again(self, contract_id: str, actor: Treasurer) -> Response:
        """Ask our box once more for the step that it refused."""
        return answer(await self._desk.ask_again(contract_id, actor))


async def _bytes(request: Request) -> bytes:
    """A document as large as its reader takes it; TooLarge."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_MESSAGE_BYTES:
            raise TooLarge(f"a document has at most {MAX_MESSAGE_BYTES} bytes")
    return bytes(received)
