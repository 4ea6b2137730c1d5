"""Miners that people operate, and their way back to dispatch."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api.access import Operator, Viewer
from controller.api.command import MAX_DEVICES
from controller.api.energy import Reason
from controller.api.shape import Shapes, answer, body_of
from controller.views.command import Selection
from controller.views.hold import HoldView, Released
from controller.views.ports import Operations
from shared.errors import Malformed


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`device_ids`, or all that `query` matches now, such as `held:anna`."""

    device_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_DEVICES)] = ()
    query: str | None = None
    reason: Reason


class HoldRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives, takes = APIRouter(tags=["commands"]), self._shapes.gives, self._shapes.takes
        base, release = "/sites/{site}/holds", takes(Release)
        router.add_api_route(base, self.listed, responses=gives(tuple[HoldView, ...]))
        router.add_api_route(
            base + "/release", self.release, methods=["POST"], responses=gives(Released), openapi_extra=release
        )
        return router

    async def listed(self, site: str, _actor: Viewer) -> Response:
        """Miners that dispatch leaves alone because a person operates them, newest first."""
        return answer(self._operations.holds.listed(site))

    async def release(self, site: str, request: Request, actor: Operator) -> Response:
        """Give miners back to dispatch; the answer names those that were held. An order to wake does the same."""
        self._operations.fleet.frame(site)
        wanted = await body_of(request, Release)
        if bool(wanted.device_ids) == (wanted.query is not None):
            raise Malformed("give either device_ids or query")
        selection = Selection(device_ids=wanted.device_ids, query=wanted.query)
        return answer(await self._operations.holds.release(site, selection, wanted.reason, actor))
