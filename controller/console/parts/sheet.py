"""A small table whose rows a topic supplies; buttons in its cells come back as (row id, name)."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.parts.frame import text_of


class Column(NamedTuple):
    """`end` sets numbers flush right; `wrap` lets long text break."""

    key: str
    label: str
    end: bool = False
    wrap: bool = False


class Sheet(Element, component="sheet.js", esm={"bes-draw": "draw"}):
    def __init__(self, columns: tuple[Column, ...], first: Content, *, topic: str, caption: str, empty: str) -> None:
        super().__init__()
        self.props.update(
            columns=[column._asdict() for column in columns],
            first=first["rows"],
            topic=topic,
            caption=caption,
            empty=empty,
        )

    def on_act(self, handler: Callable[[str, str], Awaitable[Any]]) -> None:
        """`handler(row_id, name)`; it has to check the permission itself."""

        async def handle(event: GenericEventArguments) -> None:
            await handler(text_of(event.args, "id"), text_of(event.args, "name"))

        self.on("act", handle)
