"""What every page function is given, and how its parts get their first content."""

from dataclasses import dataclass, field

from nicegui import ui
from nicegui.element import Element

from controller.console.feed import Content, Key
from controller.console.visit import Visit
from controller.people.model import Permission
from controller.views.ports import Operations
from controller.views.site import SiteView

API = "/api/v1"


@dataclass(frozen=True)
class Page:
    """`subject` is the device or order that the address names, `query` its parameters."""

    visit: Visit
    site: SiteView
    subject: str = ""
    query: dict[str, str] = field(default_factory=dict)

    @property
    def operations(self) -> Operations:
        return self.visit.operations

    @property
    def api_url(self) -> str:
        return f"{API}/sites/{self.site.id}"

    @property
    def operates(self) -> bool:
        return self.visit.may(Permission.OPERATE)

    async def follow(self, topic: str, subject: str = "") -> Content:
        """The newest content of a topic, and the wish to be told of later ones."""
        key = Key(topic, self.site.id, subject)
        kept = await self.visit.feed.newest(key)
        self.visit.listen(key)
        return kept.content


def card(title: str = "", hint: str = "") -> Element:
    """A section with a heading; its body is what stands in the `with`."""
    section = ui.element("section").classes("bes-card")
    if title:
        with section, ui.element("div").classes("bes-head"):
            with ui.element("h2"):
                ui.label(title)
            if hint:
                ui.label(hint).classes("bes-hint")
    return section


def heading(text: str, hint: str = "", *, spoken: bool = False) -> None:
    """The page's one h1; only `spoken` where the desk's screen says it already, and shown on a phone."""
    with ui.element("div").classes("bes-head" + (" bes-desk-spoken" if spoken else "")).style("margin-bottom: 0"):
        with ui.element("h1"):
            ui.label(text)
        if hint:
            ui.label(hint).classes("bes-hint")
