"""What happened at a site: notices and alarms, whether they stand or are over."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from controller.api.access import Viewer
from controller.api.number import LATEST_MS, PageLimit
from controller.api.shape import Shapes, answer
from controller.views.event import EventKind, EventPage, EventRequest
from controller.views.ports import Operations

_Kind = Annotated[EventKind | None, Query(description="Only notices, or only alarms")]
_Code = Annotated[str, Query(max_length=80, description="Codes that begin with it, such as `discovery.`")]
_From = Annotated[int, Query(ge=0, le=LATEST_MS, description="ms, UTC; the oldest that is wanted")]
_To = Annotated[int | None, Query(ge=0, le=LATEST_MS, description="ms, UTC; only what is older")]
_Before = Annotated[str, Query(max_length=420, description="`before` of the page before this one")]


class EventRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router = APIRouter(tags=["alarms"])
        router.add_api_route("/sites/{site}/events", self.listed, responses=self._shapes.gives(EventPage))
        return router

    async def listed(
        self,
        site: str,
        _actor: Viewer,
        kind: _Kind = None,
        code: _Code = "",
        from_ms: _From = 0,
        to_ms: _To = None,
        before: _Before = "",
        limit: PageLimit = 50,
    ) -> Response:
        """Notices and alarms, newest first."""
        request = EventRequest(
            site=site, kind=kind, code=code, from_ms=from_ms, to_ms=to_ms, before=before, limit=limit
        )
        return answer(await self._operations.events.listed(request))
