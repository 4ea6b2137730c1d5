"""Chips that lead to an address, one of them marked as what is shown."""

from nicegui import ui
from nicegui.element import Element


def link(label: str, href: str, *, test: str = "") -> Element:
    """A chip that leads to an address."""
    element = ui.element("a")
    element.props["href"] = href
    if test:
        element.props["data-testid"] = test
    with element:
        ui.label(label)
    return element


def choose(links: dict[str, Element], chosen: str) -> None:
    """Mark the one that is shown."""
    for name, element in links.items():
        element.classes(add="bes-on") if name == chosen else element.classes(remove="bes-on")
        element.props["aria-current"] = "true" if name == chosen else "false"
        element.update()
