"""A long text that people carry elsewhere: shown whole, copied with one click, saved as a file where it has a name."""

from nicegui.element import Element


class CopyText(Element, component="copy_text.js", esm={"bes-draw": "draw"}):
    """With `binary` the text is base64, and the file holds the bytes that it stands for."""

    def __init__(self, text: str, *, test: str, file: str = "", binary: bool = False) -> None:
        super().__init__()
        self.props.update(text=text, test=test, file=file, binary=binary)
