"""What a person signs with a key of his own, and where he puts the signature."""

from collections.abc import Awaitable, Callable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content

MAX_TEXT = 100_000


class SealBox(Element, component="seal.js", esm={"bes-draw": "draw"}):
    """`take` is given what was pasted and has to check the permission itself; without `spends` nothing is asked for.

    The text stays until it was taken, so that a refusal costs no typing.
    """

    def __init__(self, first: Content, *, topic: str, spends: bool, take: Callable[[str], Awaitable[bool]]) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic, spends=spends)

        async def handle(event: GenericEventArguments) -> None:
            text = event.args.get("sealed") if isinstance(event.args, dict) else None
            if isinstance(text, str) and await take(text[:MAX_TEXT]):
                self.run_method("clear")

        self.on("seal", handle)
