"""The ways to spend as a drawing: from the coin through its lock to the people."""

from nicegui.element import Element

from controller.console.feed import Content


class SpendingTree(Element, component="spending_tree.js", esm={"bes-draw": "draw"}):
    def __init__(self, first: Content, *, topic: str) -> None:
        super().__init__()
        self.props.update(first=first, topic=topic)
