"""Hangs the console into the controller's FastAPI application."""

from fastapi import FastAPI
from fastapi.responses import Response
from nicegui import ui

from controller.console.feed import Feed
from controller.console.gate import PREFIX, Doors, Gate
from controller.console.login.page import LoginPages
from controller.console.pages.shell import ALIVE, register
from controller.console.theme.asset import Assets
from controller.console.topics import all_topics
from controller.people.service import People
from controller.views.ports import ForwardDesk, Operations, TreasuryDesk

RECONNECT_S = 15.0


def mount(
    app: FastAPI,
    operations: Operations,
    people: People,
    *,
    treasury: TreasuryDesk | None = None,
    forwards: ForwardDesk | None = None,
    secure_cookies: bool = False,
) -> None:
    """Pages below /console, sign-in at /login. Once a process: NiceGUI keeps its state in the module.

    The pages read maps, tables and charts from /api/v1 of the same application (`controller.api.build`).
    """
    assets = Assets()
    app.include_router(assets.router())
    app.include_router(LoginPages(people, assets, secure_cookies=secure_cookies).router())
    app.add_api_route(ALIVE, _alive, include_in_schema=False)
    feed = Feed(operations.clock, all_topics(operations, treasury, forwards))
    register(operations, people, feed, Doors(people), treasury, forwards)
    ui.add_head_html(assets.head_html(), shared=True)
    ui.run_with(
        app,
        title="BES console",
        mount_path=PREFIX,
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
        binding_refresh_interval=None,
        favicon=assets.icon(),
    )
    app.add_middleware(Gate, people=people)


async def _alive() -> Response:
    """What a stale page asks: 204 where the session still lives; the gate answers 401 where not."""
    return Response(status_code=204)
