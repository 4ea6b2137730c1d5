"""A long text that people carry elsewhere: shown whole, copied with one click."""

from nicegui.element import Element


class CopyText(Element, component="copy_text.js", esm={"bes-draw": "draw"}):
    def __init__(self, text: str, *, test: str) -> None:
        super().__init__()
        self.props.update(text=text, test=test)
