"""Feeders, meters, prices and curtailments."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.access import Operator, Viewer
from controller.api.number import LATEST_MS, FromMs, ToMs, span
from controller.api.shape import Shapes, answer, body_of
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart, CurtailmentView
from controller.views.energy import EnergyState, FeederView, MeterView, PricePoint
from controller.views.ports import Operations
from controller.views.unit import Millis, Watts

DAY_MS = 86_400_000

Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=300, description="Why; kept in the journal")]

Typed = Annotated[str, msgspec.Meta(max_length=40, description="As the preview names it; case and spaces do not count")]


class CurtailmentOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reduction_w` of null sheds everything that may be shed; `ends_at_ms` of null holds until it is ended."""

    reduction_w: Watts | None
    ends_at_ms: Annotated[Millis, msgspec.Meta(ge=0, le=LATEST_MS)] | None = None


class PreviewedCurtailment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`confirm` repeats what the preview names in its own `confirm`; empty where that is empty."""

    preview_id: str
    reason: Reason
    confirm: Typed = ""


class WithReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason


class EnergyRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, shapes = APIRouter(tags=["energy"]), self._shapes
        add, gives, takes = router.add_api_route, shapes.gives, shapes.takes
        add("/sites/{site}/energy", self.state, responses=gives(EnergyState))
        add("/sites/{site}/feeders", self.feeders, responses=gives(tuple[FeederView, ...]))
        add("/sites/{site}/meters", self.meters, responses=gives(tuple[MeterView, ...]))
        add("/sites/{site}/prices", self.prices, responses=gives(tuple[PricePoint, ...]))
        base = "/sites/{site}/curtailments"
        one = gives(CurtailmentView)
        add(base, self.listed, responses=gives(tuple[CurtailmentView, ...]))
        started, previewed = gives(CurtailmentView, status=201), takes(PreviewedCurtailment)
        add(base, self.start, methods=["POST"], status_code=201, responses=started, openapi_extra=previewed)
        preview = takes(CurtailmentOrder)
        add(
            base + "/preview",
            self.preview,
            methods=["POST"],
            responses=gives(CurtailmentPreview),
            openapi_extra=preview,
        )
        add("/curtailments/{curtailment_id}/approval", self.approve, methods=["POST"], responses=one)
        end = takes(WithReason)
        add("/curtailments/{curtailment_id}/end", self.end, methods=["POST"], responses=one, openapi_extra=end)
        return router

    async def state(self, site: str, _actor: Viewer) -> Response:
        """Feeders, meters, market and cap of one moment."""
        return answer(self._operations.energy.state(site))

    async def feeders(self, site: str, _actor: Viewer) -> Response:
        """The electrical tree, parents before children: load against limit."""
        return answer(self._operations.energy.state(site).feeders)

    async def meters(self, site: str, _actor: Viewer) -> Response:
        """Meters, and what the miners behind each say they draw."""
        return answer(self._operations.energy.state(site).meters)

    async def prices(
        self,
        site: str,
        _actor: Viewer,
        from_ms: FromMs = None,
        to_ms: ToMs = None,
    ) -> Response:
        """Energy prices, settled and published ahead: a day around now where no span is given, 400 days at most."""
        ahead_ms = self._operations.clock.now_ms() + DAY_MS // 2
        since, until = span(from_ms, to_ms, until_ms=ahead_ms, length_ms=DAY_MS)
        return answer(await self._operations.energy.prices(site, since, until))

    async def listed(self, site: str, _actor: Viewer) -> Response:
        """Curtailments, newest first."""
        return answer(self._operations.curtailments.listed(site))

    async def preview(self, site: str, request: Request, _actor: Operator) -> Response:
        """What a curtailment would do now; valid for as long as it says."""
        wanted = await body_of(request, CurtailmentOrder)
        order = CurtailmentRequest(site=site, reduction_w=wanted.reduction_w, ends_at_ms=wanted.ends_at_ms)
        return answer(await self._operations.curtailments.preview(order))

    async def start(self, site: str, request: Request, actor: Operator) -> Response:
        """Start what was previewed. Above the site's limit it waits for a second person."""
        self._operations.fleet.frame(site)
        wanted = await body_of(request, PreviewedCurtailment)
        start = CurtailmentStart(reason=wanted.reason, confirm=wanted.confirm)
        return answer(await self._operations.curtailments.start(wanted.preview_id, start, actor), status=201)

    async def approve(self, curtailment_id: str, actor: Operator) -> Response:
        """The second person's word."""
        return answer(await self._operations.curtailments.approve(curtailment_id, actor))

    async def end(self, curtailment_id: str, request: Request, actor: Operator) -> Response:
        """Restore, in the stagger that the feeders allow."""
        wanted = await body_of(request, WithReason)
        return answer(await self._operations.curtailments.end(curtailment_id, wanted.reason, actor))
