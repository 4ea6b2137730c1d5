"""The first lines of a payment's page, with its way from proposal to burial."""

from collections.abc import Awaitable, Callable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.parts.frame import text_of


class PaymentHead(Element, component="payment.js", esm={"bes-draw": "draw"}):
    """Without `spends` no button is shown."""

    def __init__(self, first: Content, *, topic: str, spends: bool) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic, spends=spends)

    def on_act(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """`handler` is given the name of the act."""

        async def handle(event: GenericEventArguments) -> None:
            await handler(text_of(event.args, "name"))

        self.on("act", handle)
