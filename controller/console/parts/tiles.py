"""The five tiles of a site."""

from nicegui.element import Element

from controller.console.feed import Content


class Tiles(Element, component="tiles.js", esm={"bes-draw": "draw"}):
    def __init__(self, first: Content, trends: Content) -> None:
        super().__init__()
        self.props.update(first=first, trends=trends, topic="site")
        self.props["trends-topic"] = "trends"


class SearchHelp(Element, component="search_help.js"):
    """What can be asked for, folded away: `fields` are the grammar's own words and what they mean."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__()
        self.props["fields"] = [{"example": example, "meaning": meaning} for example, meaning in fields]


class Chips(Element, component="chips.js", esm={"bes-draw": "draw"}):
    """The search in pieces, and the conditions to choose from with their counts."""

    def __init__(self, first: Content, *, terms: list[dict[str, str]], asked: list[str]) -> None:
        super().__init__()
        self.props.update(first=first, topic="site", terms=terms, asked=asked)

    def show(self, terms: list[dict[str, str]], asked: list[str]) -> None:
        self.props.update(terms=terms, asked=asked)
        self.update()
