"""What a page says when it has nothing to show: first run, no permission, an error, an unknown address."""

from nicegui import ui

from controller.console.topics.words import CONSOLE, site_href
from shared.errors import BesError, NotFound

ENROL = "bes enroll --site west-1 --controller mqtts://…"


def first_run() -> None:
    _card(
        "No site yet",
        "Enrol the first agent; it appears here as soon as it has sent its site's description. `make demo` starts a "
        "simulated site on this machine.",
        command=ENROL,
    )


def no_permission(page: str, role: str) -> None:
    _card(f"{page} needs the role {role}", "Ask an administrator for it; what you can see stays in the navigation.")


def failed(error: BesError, site: str = "") -> None:
    title = "Not found" if isinstance(error, NotFound) else "This could not be read"
    _card(title, f"{error.detail[:1].upper()}{error.detail[1:]}. {_mend(error)}", code=error.code, link=_back(site))


def nothing_to_do(text: str, link: tuple[str, str]) -> None:
    """A page that has no work now, and where to go instead."""
    _card("Nothing to do here now", text, link=link)


def unknown_page() -> None:
    _card("No such page", "The address leads nowhere.", link=_back(""))


def loading(height: int) -> None:
    """A skeleton of the final size, so that nothing jumps."""
    ui.element("div").classes("bes-skeleton").style(f"height: {height}px")


def _back(site: str) -> tuple[str, str]:
    return ("Back to the site", site_href(site)) if site else ("All sites", CONSOLE)


def _mend(error: BesError) -> str:
    if isinstance(error, NotFound):
        return "It may be gone, or the address is wrong: look for it with the search above."
    if error.retryable:
        return "Open the page again in a moment; what the other pages show is still true."
    if error.expected:
        return "What the other pages show is still true."
    return "Report the code and the time to whoever runs the controller."


def _card(title: str, text: str, *, command: str = "", code: str = "", link: tuple[str, str] | None = None) -> None:
    with ui.element("section").classes("bes-card bes-empty").props("data-testid=state"):
        with ui.element("h1").classes("bes-title"):
            ui.label(title)
        ui.label(text).classes("bes-text")
        if command:
            with ui.element("code"):
                ui.label(command)
        if code:
            ui.label(code).classes("bes-mono")
        if link:
            with ui.element("a").classes("bes-button").props(f"href={link[1]}"):
                ui.label(link[0])
