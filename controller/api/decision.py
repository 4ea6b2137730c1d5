"""Decisions of dispatch, each with its certificate and what held it back."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from controller.api.access import Viewer
from controller.api.shape import Shapes, answer
from controller.views.decision import DecisionRecord
from controller.views.ports import Operations

_Limit = Annotated[int, Query(ge=1, le=500)]


class DecisionRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives, base = APIRouter(tags=["fleet"]), self._shapes.gives, "/sites/{site}/decisions"
        router.add_api_route(base, self.listed, responses=gives(tuple[DecisionRecord, ...]))
        router.add_api_route(base + "/{decision_id}", self.one, responses=gives(DecisionRecord))
        return router

    async def listed(self, site: str, _actor: Viewer, limit: _Limit = 50) -> Response:
        """The latest decisions that ordered something or were held back by something else, newest first."""
        return answer(self._operations.decisions.listed(site, limit=limit))

    async def one(self, site: str, decision_id: str, _actor: Viewer) -> Response:
        """One decision, however old; commands of dispatch cite it."""
        return answer(await self._operations.decisions.one(site, decision_id))
