"""A small table whose rows a topic supplies; buttons in its cells come back as (row id, name)."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.parts.frame import text_of


class Column(NamedTuple):
    """`end` sets numbers flush right; `wrap` lets long text break.

    On a phone a row is a block of labelled lines below those that `lead`, and what is not for a `phone` is left out.
    """

    key: str
    label: str
    end: bool = False
    wrap: bool = False
    lead: bool = False
    phone: bool = True


class Sheet(Element, component="sheet.js", esm={"bes-draw": "draw"}):
    """`stacks`: whether rows become blocks on a phone; a tree of few columns stays a table."""

    def __init__(
        self,
        columns: tuple[Column, ...],
        first: Content,
        *,
        topic: str,
        caption: str,
        empty: str,
        stacks: bool = True,
    ) -> None:
        super().__init__()
        self.props.update(
            columns=[column._asdict() for column in columns],
            first=first["rows"],
            topic=topic,
            caption=caption,
            empty=empty,
            stacks=stacks,
            operates=False,
        )

    def on_act(self, handler: Callable[[str, str], Awaitable[Any]], *, operates: bool) -> None:
        """`handler(row_id, name)` has to check the permission itself; without `operates` no button is shown."""
        self.props["operates"] = operates

        async def handle(event: GenericEventArguments) -> None:
            await handler(text_of(event.args, "id"), text_of(event.args, "name"))

        self.on("act", handle)
