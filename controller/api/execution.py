"""Many executions at once: a batch in, an answer for each in order, and how far each has come."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from controller.api.access import Treasurer, Viewer
from controller.api.shape import PERSON, Shapes, answer, body_of
from controller.views.execution import ExecutionAnswer, ExecutionBatch, ExecutionView
from controller.views.ports import ExecutionDesk

MAX_BATCH_BYTES = 8 << 20
MOST_LISTED = 500


class ExecutionRoutes:
    def __init__(self, desk: ExecutionDesk, shapes: Shapes) -> None:
        self._desk = desk
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives = APIRouter(tags=["treasury"]), self._shapes.gives
        one = "/contracts/{contract_id}/executions"
        router.add_api_route(one, self.executions, responses=gives(tuple[ExecutionView, ...]))
        router.add_api_route(
            one,
            self.execute,
            methods=["POST"],
            responses=gives(tuple[ExecutionAnswer, ...]),
            openapi_extra=self._shapes.takes(ExecutionBatch) | PERSON,
        )
        return router

    async def executions(
        self, contract_id: str, _actor: Viewer, limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100
    ) -> Response:
        """Newest first."""
        return answer(self._desk.executions(contract_id, limit))

    async def execute(self, contract_id: str, request: Request, actor: Treasurer) -> Response:
        """Judge signed transactions, write them down and broadcast them; a refusal is of one and stops no other.

        The answer comes when all are durable. The same batch again has the same answer and does nothing twice.
        """
        batch = await body_of(request, ExecutionBatch, MAX_BATCH_BYTES)
        return answer(await self._desk.execute(contract_id, batch.executions, actor))
