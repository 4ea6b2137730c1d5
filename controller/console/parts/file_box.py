"""A file that comes back from another machine: chosen or pasted, and handed in under a name."""

from collections.abc import Awaitable, Callable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.parts.frame import text_of

MAX_TEXT = 700_000


class FileBox(Element, component="file_box.js", esm={"bes-draw": "draw"}):
    """`take` is given the name that was chosen and the text, and has to check the permission itself.

    The text stays until it was taken. Without names, or without `spends`, nothing is asked for.
    """

    def __init__(
        self, first: Content, *, topic: str, spends: bool, take: Callable[[str, str], Awaitable[bool]]
    ) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic, spends=spends)

        async def handle(event: GenericEventArguments) -> None:
            text = event.args.get("text") if isinstance(event.args, dict) else None
            if isinstance(text, str) and await take(text_of(event.args, "name"), text[:MAX_TEXT]):
                self.run_method("clear")

        self.on("file", handle)
