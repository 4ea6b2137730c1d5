"""Buttons in our own look. Orders carry `bes-order`, which a stale page switches off."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.elements.mixins.text_element import TextElement

Handler = Callable[[], Awaitable[Any] | None]


class Button(TextElement):
    """A plain HTML button: smaller than Quasar's, and its text stays as written."""

    def __init__(
        self, text: str, handler: Handler, *, order: bool = False, primary: bool = False, test: str = ""
    ) -> None:
        super().__init__(tag="button", text=text)
        self.classes("bes-button" + (" bes-order" if order else "") + (" bes-primary" if primary else ""))
        self.props["type"] = "button"
        if test:
            self.props["data-testid"] = test
        self.on("click", handler, [])

    def enable(self, *, on: bool) -> None:
        if on:
            self.props.pop("disabled", None)
        else:
            self.props["disabled"] = True
        self.update()
