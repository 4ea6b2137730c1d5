"""Parts that show one state and follow a topic: a curtailment, the head of a miner or an order, facts of an order."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content
from controller.console.parts.frame import text_of


class Landing(Element, component="landing.js", esm={"bes-draw": "draw"}):
    """The meter's way to the target. Acts: `curtail`, `approve`, `end`."""

    def __init__(self, first: Content, *, operates: bool, act: Callable[[str, str], Awaitable[Any]]) -> None:
        super().__init__()
        self.props.update(first=first, topic="curtailment", operates=operates)

        async def handle(event: GenericEventArguments) -> None:
            await act(text_of(event.args, "name"), text_of(event.args, "id"))

        self.on("act", handle)


class Head(Element, component="head.js", esm={"bes-draw": "draw"}):
    """A sentence, figures, small print."""

    def __init__(self, first: Content, *, topic: str) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic)


class Sentences(Element, component="sentences.js", esm={"bes-draw": "draw"}):
    """Lines of plain text."""

    def __init__(self, first: Content, *, topic: str) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic)


class EvidencePanel(Element, component="evidence.js", esm={"bes-draw": "draw"}):
    """The device's own last replies."""

    def __init__(self, first: Content) -> None:
        super().__init__()
        self.props.update(first=first, topic="evidence")


class Facts(Element, component="facts.js"):
    """`facts` are label, value, unit; `lines` label, text and whether a rule said no."""

    def show(self, facts: list[tuple[str, str, str]], lines: list[tuple[str, str, bool]]) -> None:
        self.props["facts"] = [{"label": label, "value": value, "unit": unit} for label, value, unit in facts]
        self.props["lines"] = [{"label": label, "text": text, "no": no} for label, text, no in lines]
        self.update()
