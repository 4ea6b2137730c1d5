"""A QR code as one path of an SVG."""

from nicegui.element import Element

from controller.console import qr


class QrCode(Element, component="qr_code.js"):
    """Of a text in capital letters; `label` says what it is to those who do not see it."""

    def __init__(self, text: str, *, label: str) -> None:
        super().__init__()
        drawn = qr.matrix(text)
        path = "".join(
            f"M{column} {row}h1v1h-1z" for row, line in enumerate(drawn) for column, dark in enumerate(line) if dark
        )
        self.props.update(path=path, side=len(drawn), label=label)
