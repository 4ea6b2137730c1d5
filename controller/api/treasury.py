"""Contracts, proposals and signing boxes."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.access import Treasurer, Viewer
from controller.api.energy import Reason, WithReason
from controller.api.number import AmountSat
from controller.api.shape import MAX_BODY_BYTES, PERSON, Shapes, answer, body_of
from controller.views.ports import TreasuryDesk
from controller.views.treasury import (
    ClaimView,
    ContractView,
    ControlWish,
    DraftView,
    PaymentView,
    ProofsView,
    ProposalView,
    ReceiveView,
    RefreshWish,
    RestartView,
    SpendingWish,
    TreasuryState,
)
from shared.errors import TooLarge

MAX_CLAIM_BYTES = 4 << 20


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person's own key signed, in base64: `bes sign document` makes it of `to_sign` or `to_seal`."""

    sealed: bytes


class HigherFee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fee_rate_sat_vb: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    reason: Reason


class SealedByOwners(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each owner's own key signed, in base64."""

    sealed: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=32)]


class SignedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PSBT that an air-gapped signer added signatures to, in base64."""

    party: str
    psbt: bytes


class TreasuryRoutes:
    def __init__(self, desk: TreasuryDesk, shapes: Shapes) -> None:
        self._desk = desk
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives, takes = APIRouter(tags=["treasury"]), self._shapes.gives, self._shapes.takes
        add, contract, proposal = router.add_api_route, gives(ContractView), gives(ProposalView)
        add("/treasury", self.state, responses=gives(TreasuryState))
        add("/contracts", self.draft, methods=["POST"], status_code=201, responses=gives(ContractView, status=201))
        add("/contracts/preview", self.preview, methods=["POST"], responses=gives(DraftView))
        one = "/contracts/{contract_id}"
        add(one, self.contract, responses=contract)
        add(one + "/address", self.receive, responses=gives(ReceiveView))
        sealed = takes(Sealed) | PERSON
        add(one + "/approvals", self.approve_policy, methods=["POST"], responses=contract, openapi_extra=sealed)
        document = PERSON | {"requestBody": {"required": True, "content": {"application/json": {}}}}
        add(one + "/policy", self.change_policy, methods=["POST"], responses=contract, openapi_extra=document)
        withdraw = takes(WithReason) | PERSON
        add(
            one + "/policy/withdraw", self.withdraw_policy, methods=["POST"], responses=contract, openapi_extra=withdraw
        )
        add(one + "/boxes", self.tell_boxes, methods=["POST"], responses=contract, openapi_extra=PERSON)
        add(one + "/split", self.split, responses=gives(tuple[PaymentView, ...]))
        add(one + "/proposals", self.proposals, responses=gives(tuple[ProposalView, ...]))
        begun = gives(ProposalView, status=201)
        for name, begin, wish in (
            ("proposals", self.propose, SpendingWish),
            ("control", self.prove, ControlWish),
            ("refresh", self.refresh, RefreshWish),
        ):
            extra = takes(wish) | PERSON
            add(f"{one}/{name}", begin, methods=["POST"], status_code=201, responses=begun, openapi_extra=extra)
        add("/proofs", self.proofs, responses=gives(ProofsView))
        claim = PERSON | {"requestBody": {"required": True, "content": {"application/json": {}}}}
        kept = gives(ClaimView, status=201)
        add("/claims", self.keep_claim, methods=["POST"], status_code=201, responses=kept, openapi_extra=claim)
        add("/claims/{claim_id}", self.claim, responses=self._shapes.refuses())
        one, restart = "/boxes/{box_id}/restart", gives(RestartView)
        add(one, self.restart_document, responses=restart)
        owners = takes(SealedByOwners) | PERSON
        add(one, self.restart_box, methods=["POST"], responses=restart, openapi_extra=owners)
        one = "/proposals/{proposal_id}"
        add(one, self.proposal, responses=proposal)
        for name, work, body in (
            ("seal", self.seal, Sealed),
            ("approvals", self.approve, Sealed),
            ("cancel", self.cancel, WithReason),
            ("replacement", self.replace, HigherFee),
            ("child", self.help, HigherFee),
            ("signatures", self.import_signatures, SignedFile),
        ):
            extra = takes(body) | PERSON
            add(f"{one}/{name}", work, methods=["POST"], responses=proposal, openapi_extra=extra)
        add(one + "/boxes", self.ask_again, methods=["POST"], responses=proposal, openapi_extra=PERSON)
        return router

    async def state(self, _actor: Viewer) -> Response:
        """Node, boxes, contracts and open proposals of one moment."""
        return answer(await self._desk.state())

    async def preview(self, request: Request, actor: Treasurer) -> Response:
        """What a template with an agreement would become; nothing is written down."""
        return answer(await self._desk.preview(await _document(request), actor))

    async def draft(self, request: Request, actor: Treasurer) -> Response:
        """Compile a template with an agreement and write it down as a draft."""
        return answer(await self._desk.draft(await _document(request), actor), status=201)

    async def contract(self, contract_id: str, _actor: Viewer) -> Response:
        """What it means in sentences, its paths with their costs, its coins and when they open."""
        return answer(await self._desk.contract(contract_id))

    async def split(self, contract_id: str, amount_sat: AmountSat, actor: Treasurer) -> Response:
        """An amount in parts by the contract's shares, as payments that may be proposed."""
        return answer(await self._desk.split(contract_id, amount_sat, actor))

    async def receive(self, contract_id: str, actor: Treasurer) -> Response:
        """The next unused receiving address and where it stands in the descriptor."""
        return answer(await self._desk.receive(contract_id, actor))

    async def change_policy(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Draft the next policy: allow_list, cooling_blocks, limits, approvals_needed. The owners sign it."""
        return answer(await self._desk.change_policy(contract_id, await _document(request), actor))

    async def withdraw_policy(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Take back a policy that too few owners have signed."""
        reason = (await body_of(request, WithReason)).reason
        return answer(await self._desk.withdraw_policy(contract_id, reason, actor))

    async def tell_boxes(self, contract_id: str, actor: Treasurer) -> Response:
        """Tell the sealed policy again to those boxes that have not taken it."""
        return answer(await self._desk.tell_boxes(contract_id, actor))

    async def approve_policy(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """An owner's signature on the policy that waits."""
        return answer(await self._desk.approve_policy(contract_id, (await body_of(request, Sealed)).sealed, actor))

    async def proposals(self, contract_id: str, _actor: Viewer) -> Response:
        """Newest first."""
        return answer(self._desk.proposals(contract_id))

    async def propose(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Choose coins and build the transaction; its proposer then signs it."""
        return answer(await self._desk.propose(contract_id, await body_of(request, SpendingWish), actor), status=201)

    async def prove(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Ask for a proof of control (BIP-322) over an address; approved as a payment, and it moves nothing."""
        return answer(await self._desk.prove(contract_id, await body_of(request, ControlWish), actor), status=201)

    async def proofs(self, _actor: Viewer) -> Response:
        """Meters that nodes committed to, claims that were made of it, proofs of control."""
        return answer(self._desk.proofs())

    async def keep_claim(self, request: Request, actor: Treasurer) -> Response:
        """Check and keep what `bes claim prove` wrote with the owner's key."""
        return answer(await self._desk.keep_claim(await _document(request, MAX_CLAIM_BYTES), actor), status=201)

    async def claim(self, claim_id: str, _actor: Viewer) -> Response:
        """The claim for whoever checks it with verifier.py."""
        headers = {"Content-Disposition": f'attachment; filename="claim-{claim_id[:16]}.json"'}
        return Response(self._desk.claim(claim_id), headers=headers, media_type="application/json")

    async def refresh(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Propose to move coins whose recovery opens soon back to the contract; they then rest anew."""
        return answer(await self._desk.refresh(contract_id, await body_of(request, RefreshWish), actor), status=201)

    async def proposal(self, proposal_id: str, _actor: Viewer) -> Response:
        """Where it stands: approvals, boxes, verdict, transaction."""
        return answer(self._desk.proposal(proposal_id))

    async def seal(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """The proposer's own signature; from then on others may approve."""
        return answer(await self._desk.seal(proposal_id, (await body_of(request, Sealed)).sealed, actor))

    async def approve(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """One person's signed yes. Whose it is says the key, not who sends it."""
        return answer(await self._desk.approve(proposal_id, (await body_of(request, Sealed)).sealed, actor))

    async def cancel(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """Take it back, as long as no box was asked."""
        return answer(await self._desk.cancel(proposal_id, (await body_of(request, WithReason)).reason, actor))

    async def replace(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """The same payments at a higher fee; approved anew."""
        wish = await body_of(request, HigherFee)
        return answer(await self._desk.replace(proposal_id, wish.fee_rate_sat_vb, wish.reason, actor))

    async def help(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """A child that spends the change and pays for both; approved for itself."""
        wish = await body_of(request, HigherFee)
        return answer(await self._desk.help(proposal_id, wish.fee_rate_sat_vb, wish.reason, actor))

    async def ask_again(self, proposal_id: str, actor: Treasurer) -> Response:
        """Ask those boxes again that have not answered yet."""
        return answer(await self._desk.ask_again(proposal_id, actor))

    async def restart_document(self, box_id: str, actor: Treasurer) -> Response:
        """What the owners sign after a box lost rows of its ledger: from where on it counts."""
        return answer(self._desk.restart_document(box_id, actor))

    async def restart_box(self, box_id: str, request: Request, actor: Treasurer) -> Response:
        """Send what the owners signed to the witnesses of the box, who check it themselves."""
        return answer(await self._desk.restart_box(box_id, (await body_of(request, SealedByOwners)).sealed, actor))

    async def import_signatures(self, proposal_id: str, request: Request, actor: Treasurer) -> Response:
        """What an air-gapped signer added to the exported PSBT."""
        file = await body_of(request, SignedFile)
        return answer(await self._desk.import_signatures(proposal_id, file.party, file.psbt, actor))


async def _document(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """A form or file as it came; the treasury reads it. TooLarge."""
    body = await request.body()
    if len(body) > most_bytes:
        raise TooLarge(f"a body has at most {most_bytes} bytes")
    return body
