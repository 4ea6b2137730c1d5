"""Sites, summaries, miners, maps, series."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from controller.api.access import Viewer
from controller.api.number import FromMs, Offset, ToMs, span
from controller.api.shape import Shapes, answer
from controller.views.dispatch import DecisionView, Explanation
from controller.views.history import GapView, Series, SeriesRequest
from controller.views.map import MODES, MapLayout, map_bytes, map_layout
from controller.views.miner import MAX_PAGE, BoardRow, MinerDetail, MinerPage, page
from controller.views.ports import Operations
from controller.views.site import NodeView, SiteView
from controller.views.summary import Summary, summarise
from shared.errors import NotFound

HOUR_MS = 3_600_000
MAX_POINTS = 2000

_Text = Annotated[str, Query(max_length=500, description="Query, such as `state:hot model:S21* chip>85`")]
_Limit = Annotated[int, Query(ge=0, le=MAX_PAGE, description="Rows of the page")]
_Sort = Annotated[str, Query(max_length=40, description="Column, with a leading `-` for greatest first")]
_Points = Annotated[int, Query(ge=1, le=MAX_POINTS, description="Buckets at most")]
_Mode = Annotated[str, Query(description=f"One of {', '.join(MODES)}")]

_MAP_TYPE = "application/octet-stream"


class FleetRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives = APIRouter(tags=["fleet"]), self._shapes.gives
        router.add_api_route("/sites", self.sites, responses=gives(tuple[SiteView, ...]))
        router.add_api_route("/sites/{site}/summary", self.summary, responses=gives(Summary))
        router.add_api_route("/sites/{site}/miners", self.miners, responses=gives(MinerPage))
        router.add_api_route("/sites/{site}/miners/{device_id}", self.miner, responses=gives(MinerDetail))
        boards = gives(tuple[BoardRow, ...])
        router.add_api_route("/sites/{site}/miners/{device_id}/boards", self.boards, responses=boards)
        explanation = gives(Explanation)
        router.add_api_route("/sites/{site}/miners/{device_id}/explanation", self.explain, responses=explanation)
        router.add_api_route("/sites/{site}/map/layout", self.layout, responses=gives(MapLayout))
        cells: dict[int | str, Any] = self._shapes.refuses() | {200: {"content": {_MAP_TYPE: {}}}}
        router.add_api_route("/sites/{site}/map", self.map, responses=cells, response_class=Response)
        router.add_api_route("/sites/{site}/series", self.series, responses=gives(Series))
        router.add_api_route("/sites/{site}/dispatch", self.decision, responses=gives(DecisionView))
        router.add_api_route("/sites/{site}/nodes", self.nodes, responses=gives(tuple[NodeView, ...]))
        router.add_api_route("/sites/{site}/gaps", self.gaps, responses=gives(tuple[GapView, ...]))
        return router

    async def sites(self, _actor: Viewer) -> Response:
        """All sites."""
        return answer(self._operations.fleet.sites())

    async def summary(self, site: str, _actor: Viewer) -> Response:
        """The five figures of a site, each with source, age and quality, under one snapshot id."""
        frame = self._operations.fleet.frame(site)
        return answer(summarise(frame, self._operations.energy.state(site)))

    async def miners(
        self, site: str, _actor: Viewer, q: _Text = "", sort: _Sort = "slot", offset: Offset = 0, limit: _Limit = 100
    ) -> Response:
        """A page of the miners that match, and how many do."""
        return answer(page(self._operations.fleet.frame(site), q, sort=sort, offset=offset, limit=limit))

    async def miner(self, site: str, device_id: str, _actor: Viewer) -> Response:
        """One miner with its boards, the trust in each value and the last raw reply."""
        return answer(await self._operations.fleet.miner(site, device_id))

    async def boards(self, site: str, device_id: str, _actor: Viewer) -> Response:
        """The hash boards of one miner."""
        return answer((await self._operations.fleet.miner(site, device_id)).boards)

    async def explain(self, site: str, device_id: str, _actor: Viewer) -> Response:
        """Why the dispatch runs this miner as it does."""
        explanation = self._operations.dispatch.explain(site, device_id)
        if explanation is None:
            raise NotFound(f"no decision about {device_id!r} yet")
        return answer(explanation)

    async def layout(self, site: str, _actor: Viewer) -> Response:
        """Where each cell of the map stands."""
        return answer(map_layout(self._operations.fleet.frame(site).layout))

    async def map(self, site: str, _actor: Viewer, mode: _Mode = "condition") -> Response:
        """Cells in the order of the layout with the revision in `X-Layout`. Little-endian: 8 bytes at_ms, 4 bytes
        count, then a condition byte a cell and, in other modes, a value byte a cell (255 for not known).
        """
        frame = self._operations.fleet.frame(site)
        headers = {"X-Snapshot": frame.snapshot, "X-Layout": frame.layout.revision, "Cache-Control": "no-store"}
        return Response(map_bytes(frame, mode), 200, headers, _MAP_TYPE)

    async def series(
        self,
        site: str,
        _actor: Viewer,
        subject: Annotated[str, Query(max_length=100)],
        field: Annotated[str, Query(max_length=60)],
        from_ms: FromMs = None,
        to_ms: ToMs = None,
        points: _Points = 600,
    ) -> Response:
        """Least, mean and greatest value per bucket of time, with the gaps that lie in the span: the last hour where
        none is given, 400 days at most.
        """
        since, until = span(from_ms, to_ms, until_ms=self._operations.clock.now_ms(), length_ms=HOUR_MS)
        request = SeriesRequest(site=site, subject=subject, field=field, from_ms=since, to_ms=until, points=points)
        return answer(await self._operations.history.series(request))

    async def decision(self, site: str, _actor: Viewer) -> Response:
        """The dispatch's last decision: objective, bound and gap, what binds, in sentences."""
        decision = self._operations.dispatch.decision(site)
        if decision is None:
            raise NotFound(f"no decision for site {site!r} yet")
        return answer(decision)

    async def nodes(self, site: str, _actor: Viewer) -> Response:
        """The site's agents: last contact, backlog, clock."""
        return answer(self._operations.nodes.nodes(site))

    async def gaps(self, site: str, _actor: Viewer) -> Response:
        """What is gone for good, newest first."""
        return answer(await self._operations.nodes.gaps(site))
