"""A long text that people carry elsewhere: shown whole, copied with one click, saved as a file where it has a name."""

from nicegui.element import Element


class CopyText(Element, component="copy_text.js", esm={"bes-draw": "draw"}):
    """With `binary` the text is base64, and the file holds the bytes that it stands for. A `topic` brings later texts;
    `empty` stands where there is none yet.
    """

    def __init__(
        self, text: str, *, test: str, file: str = "", binary: bool = False, topic: str = "", empty: str = ""
    ) -> None:
        super().__init__()
        self.props.update(text=text, test=test, file=file, binary=binary, topic=topic, empty=empty)

    def show(self, text: str) -> None:
        self.props["text"] = text
        self.update()
