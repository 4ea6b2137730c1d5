"""The FastAPI application, put together from the ports."""

from fastapi import APIRouter, FastAPI

from controller.api.command import CommandRoutes
from controller.api.decision import DecisionRoutes
from controller.api.energy import EnergyRoutes
from controller.api.event import EventRoutes
from controller.api.execution import ExecutionRoutes
from controller.api.failure import install
from controller.api.fleet import FleetRoutes
from controller.api.forward import ForwardRoutes
from controller.api.hold import HoldRoutes
from controller.api.live import PERIOD_S, LiveSocket
from controller.api.metrics import Metrics, MetricsRoutes
from controller.api.session import SessionRoutes
from controller.api.shape import Shapes
from controller.api.treasury import TreasuryRoutes
from controller.people.service import People
from controller.views.ports import ExecutionDesk, ForwardDesk, Operations, TreasuryDesk

PREFIX = "/api/v1"
_DESCRIPTION = (
    "Sites, miners, energy and commands. Units stand in the field names and in `x-unit`; times are milliseconds of "
    "UTC; null means not known, never zero. People send the session cookie, programs `Authorization: Bearer …`. "
    "A command is done when its outcomes say `confirmed`, not when it was accepted."
)


def build(
    operations: Operations,
    people: People,
    *,
    metrics: Metrics | None = None,
    treasury: TreasuryDesk | None = None,
    forwards: ForwardDesk | None = None,
    executions: ExecutionDesk | None = None,
    secure_cookies: bool = False,
    live_period_s: float = PERIOD_S,
) -> FastAPI:
    """`secure_cookies` is set wherever the console is reached by HTTPS."""
    app = FastAPI(
        title="Bitcoin Enterprise Suite",
        version="1",
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    app.state.people = people
    shapes = Shapes()
    routers: tuple[APIRouter, ...] = (
        SessionRoutes(people, shapes, secure_cookies=secure_cookies).router(),
        FleetRoutes(operations, shapes).router(),
        EnergyRoutes(operations, shapes).router(),
        CommandRoutes(operations, shapes).router(),
        HoldRoutes(operations, shapes).router(),
        DecisionRoutes(operations, shapes).router(),
        EventRoutes(operations, shapes).router(),
        LiveSocket(operations, period_s=live_period_s).router(),
    )
    if metrics is not None:
        app.include_router(MetricsRoutes(metrics, shapes).router())
    if treasury is not None:
        routers = (*routers, TreasuryRoutes(treasury, shapes).router())
    if forwards is not None:
        routers = (*routers, ForwardRoutes(forwards, shapes).router())
    if executions is not None:
        routers = (*routers, ExecutionRoutes(executions, shapes).router())
    for router in routers:
        app.include_router(router, prefix=PREFIX)
    install(app)
    shapes.install(app)
    return app
