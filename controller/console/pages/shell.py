"""The one page that NiceGUI knows: frame, pulse, and the page that the address names."""

from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui

from controller.console.feed import Feed, Key
from controller.console.gate import Doors
from controller.console.pages import alarms, commands, energy, miner, miners, nodes, overview, site
from controller.console.pages.page import Page
from controller.console.pages.treasury.page import TreasuryPage
from controller.console.pages.treasury.routes import PAGES as TREASURY_PAGES
from controller.console.parts import states
from controller.console.parts.frame import Frame
from controller.console.parts.live import Live
from controller.console.visit import Visit, query_of
from controller.people.model import Permission
from controller.people.service import People
from controller.people.visit import session_token
from controller.views.ports import ForwardDesk, Operations, TreasuryDesk
from controller.views.site import SiteView
from shared.errors import BesError, NotFound

ALIVE = "/console/alive"
Build = Callable[[Page], Awaitable[None]]
_PAGES: dict[str, Build] = {
    "/site/{site}": site.build,
    "/site/{site}/miners": miners.build,
    "/site/{site}/miner/{subject}": miner.build,
    "/site/{site}/energy": energy.build,
    "/site/{site}/alarms": alarms.build,
    "/site/{site}/commands": commands.build,
    "/site/{site}/commands/{subject}": commands.build_one,
    "/site/{site}/nodes": nodes.build,
}


def register(
    operations: Operations,
    people: People,
    feed: Feed,
    doors: Doors,
    treasury: TreasuryDesk | None = None,
    forwards: ForwardDesk | None = None,
) -> None:
    """Give NiceGUI the console's page."""

    @ui.page("/{_:path}", title="BES console")
    async def shell(request: Request) -> Response | None:
        session = people.session(session_token(request.scope))
        if session is None or session.one_time:
            return RedirectResponse("/login", 303)
        sites = operations.fleet.sites()
        named = request.url.path.removeprefix("/console").split("/")
        site_id = named[2] if len(named) > 2 and named[1] == "site" else ""
        if not site_id and len(sites) == 1:
            if treasury is None or named[1:2] != ["treasury"]:
                return RedirectResponse(f"/console/site/{sites[0].id}", 303)
            site_id = sites[0].id
        visit = Visit(operations, people, feed, session.id)
        doors.opened(session.id, ui.context.client)
        await _lay_out(visit, sites, site_id, f"{session.user} · {session.role.value}", treasury, forwards)
        return None


async def _lay_out(
    visit: Visit,
    sites: tuple[SiteView, ...],
    site_id: str,
    user: str,
    treasury: TreasuryDesk | None,
    forwards: ForwardDesk | None,
) -> None:
    here = next((item for item in sites if item.id == site_id), None)
    first = None
    if here is not None:
        key = Key("shell", here.id)
        visit.listen_always(key)
        first = (await visit.feed.newest(key)).content
    frame = Frame(
        sites=[{"id": item.id, "name": item.name} for item in sites],
        site=here.id if here else "",
        user=user,
        operates=visit.may(Permission.OPERATE),
        first=first,
        treasury=treasury is not None,
    )
    client = ui.context.client
    with frame.add_slot("pulse"):
        live = Live(visit, alive_url=ALIVE)
    visit.say = frame.say
    visit.go = partial(_go, frame, site_id)
    frame.on_go(visit.go)
    frame.on_acknowledge(partial(_acknowledge, visit))
    client.sub_pages_router.on_path_changed(frame.show_path)
    client.sub_pages_router.on_path_changed(lambda _path: live.forget())
    client.sub_pages_router.on_path_changed(visit.address_changed)
    frame.show_path(client.sub_pages_router.current_path)
    with frame.default_slot, ui.element("div").classes("bes-page"):
        routes: dict[str, Callable[..., object]] = {
            path: partial(_build, build, visit, sites) for path, build in _PAGES.items()
        }
        if treasury is not None:
            made = partial(TreasuryPage, visit, treasury, forwards=forwards)
            routes |= {path: partial(_build_treasury, build, made) for path, build in TREASURY_PAGES.items()}
        routes["/"] = partial(overview.build, visit)
        routes["/{unknown}"] = lambda unknown: states.unknown_page()  # noqa: ARG005 - the router passes it by name
        ui.sub_pages(routes, show_404=False)


def _go(frame: Frame, site_id: str, href: str) -> None:
    """Open one of our pages; another site gets a frame of its own."""
    if not href.startswith("/console/"):
        return
    path = href.removeprefix("/console")
    with frame:
        if path.split("/")[1:2] == ["site"] and path.split("/")[2].partition("?")[0] != site_id:
            frame.client.open(path)
        else:
            ui.navigate.to(path)


async def _build(build: Build, visit: Visit, sites: tuple[SiteView, ...], site: str, subject: str = "") -> None:
    """Errors of the world become a state of the page; errors of ours stay errors.

    The router gives `site` and `subject` by name, and builds anew only when one of them or the page changes.
    """
    visit.leave_page()
    view = next((item for item in sites if item.id == site), None)
    try:
        if view is None:
            raise NotFound(f"no site {site!r}")
        await build(Page(visit, view, subject, query_of(ui.context.client.sub_pages_router.current_path)))
    except BesError as error:
        states.failed(error, view.id if view else "")


async def _build_treasury(
    build: Callable[[TreasuryPage], Awaitable[None]], made: Callable[..., TreasuryPage], subject: str = ""
) -> None:
    page = made(subject=subject)
    page.visit.leave_page()
    try:
        await build(page)
    except BesError as error:
        states.failed(error)


async def _acknowledge(visit: Visit, alarm_id: str) -> None:
    work = visit.operations.alarms.acknowledge
    await visit.act(Permission.OPERATE, lambda actor: work(alarm_id, actor))
    for topic in ("alarms", "shell"):
        visit.feed.spoil(topic)
