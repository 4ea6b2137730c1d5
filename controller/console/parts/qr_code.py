"""A QR code as one path of an SVG."""

import segno
from nicegui.element import Element


class QrCode(Element, component="qr_code.js"):
    """Smallest in capital letters; `label` says what it is to those who do not see it."""

    def __init__(self, text: str, *, label: str) -> None:
        super().__init__()
        drawn = segno.make_qr(text, error="m").matrix
        path = "".join(
            f"M{column} {row}h1v1h-1z" for row, line in enumerate(drawn) for column, dark in enumerate(line) if dark
        )
        self.props.update(path=path, side=len(drawn), label=label)
