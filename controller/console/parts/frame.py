"""The frame of every page."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.topics.words import CONSOLE, site_href
from shared.errors import BesError

_PAGES = (
    ("site", "", "Site", "o"),
    ("miners", "miners", "Miners", "m"),
    ("energy", "energy", "Energy", "e"),
    ("alarms", "alarms", "Alarms", "a"),
    ("commands", "commands", "Commands", "c"),
    ("nodes", "nodes", "Nodes", "n"),
)
_TREASURY = {"key": "treasury", "label": "Treasury", "href": f"{CONSOLE}/treasury", "shortcut": "t"}


class Frame(Element, component="frame.js", esm={"bes-draw": "draw"}):
    """Slots: `pulse` in the bar, the default one for the page."""

    def __init__(
        self,
        *,
        sites: list[dict[str, str]],
        site: str,
        user: str,
        operates: bool,
        first: Content | None,
        treasury: bool = False,
    ) -> None:
        super().__init__()
        nav = [
            {"key": key, "label": label, "href": site_href(site, page), "shortcut": shortcut}
            for key, page, label, shortcut in _PAGES
            if site
        ]
        if treasury:
            nav = [*(nav or [{"key": "sites", "label": "Sites", "href": CONSOLE, "shortcut": "o"}]), _TREASURY]
        self.props.update(
            home=site_href(site) if site else CONSOLE,
            site=site,
            sites=sites,
            nav=nav,
            current=site_href(site) if site else "",
            user=user,
            operates=operates,
            notice=None,
            first=first,
        )
        self._hrefs = [item["href"] for item in nav]
        self.on("dismiss", lambda: self.say(None))

    def show_path(self, path: str) -> None:
        """Mark the page of the navigation that `path`, below the console, belongs to."""
        full = (CONSOLE + path.partition("?")[0].rstrip("/")).replace("/miner/", "/miners/")
        fitting = [href for href in self._hrefs if full == href or full.startswith(href + "/")]
        self.props["current"] = max(fitting, key=len, default="")
        self.update()

    def say(self, error: BesError | None) -> None:
        """A refusal above the page, until it is closed."""
        notice = None if error is None else {"text": error.detail, "code": _code(error)}
        if notice != self.props["notice"]:
            self.props["notice"] = notice
            self.update()

    def on_acknowledge(self, handler: Callable[[str], Awaitable[None]]) -> None:
        async def handle(event: GenericEventArguments) -> None:
            await handler(text_of(event.args, "id"))

        self.on("acknowledge", handle)

    def on_go(self, handler: Callable[[str], None]) -> None:
        self.on("go", lambda event: handler(text_of(event.args, "href")))


def _code(error: BesError) -> str:
    rule: str = getattr(error, "rule", "")
    return rule or error.code


def text_of(args: Any, name: str) -> str:
    """A text from what a browser sent; anything else is empty."""
    value = args.get(name) if isinstance(args, dict) else None
    return value[:500] if isinstance(value, str) else ""
