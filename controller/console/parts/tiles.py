"""The five tiles of a site."""

from nicegui.element import Element

from controller.console.feed import Content


class Tiles(Element, component="tiles.js", esm={"bes-draw": "draw"}):
    def __init__(self, first: Content, trends: Content) -> None:
        super().__init__()
        self.props.update(first=first, trends=trends, topic="site")
        self.props["trends-topic"] = "trends"


class Chips(Element, component="chips.js", esm={"bes-draw": "draw"}):
    """The search in pieces, and the conditions to choose from with their counts."""

    def __init__(self, first: Content, *, terms: list[dict[str, str]], asked: list[str]) -> None:
        super().__init__()
        self.props.update(first=first, topic="site", terms=terms, asked=asked)
