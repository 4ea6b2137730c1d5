"""`GET /metrics` for a Prometheus server."""

from typing import Any, Protocol

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from controller.api.access import Viewer
from controller.api.shape import Shapes


class Metrics(Protocol):
    async def text(self) -> bytes:
        """The text format 0.0.4."""
        ...


class MetricsRoutes:
    """A token of the scope `view` opens it, from this machine as well: behind a proxy everybody comes from here."""

    def __init__(self, metrics: Metrics, shapes: Shapes) -> None:
        self._metrics = metrics
        self._shapes = shapes

    def router(self) -> APIRouter:
        router = APIRouter(tags=["metrics"])
        lines: dict[int | str, Any] = self._shapes.refuses() | {200: {"content": {CONTENT_TYPE_PLAIN_0_0_4: {}}}}
        router.add_api_route("/metrics", self.scrape, responses=lines, response_class=Response)
        return router

    async def scrape(self, _actor: Viewer) -> Response:
        """Ingest, broker, outbox, and for each site power, miners by state, nodes, alarms and dispatch."""
        return Response(await self._metrics.text(), 200, {"Cache-Control": "no-store"}, CONTENT_TYPE_PLAIN_0_0_4)
