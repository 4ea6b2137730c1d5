"""The map of a site: a canvas that reads its cells from the API."""

from collections.abc import Callable

import msgspec
from nicegui.element import Element

from controller.console.feed import Content
from controller.console.parts.frame import text_of
from controller.console.topics.words import site_href
from controller.views.map import MODES, SCALES

_LABELS = {
    "condition": "Exceptions",
    "chip_temp_c": "Chip temperature",
    "efficiency_j_per_th": "Efficiency",
    "hash_pct": "Hash rate",
}


class SiteMap(Element, component="site_map.js", esm={"bes-draw": "draw"}):
    def __init__(self, site: str, first: Content, *, api_url: str, mode: str, go: Callable[[str], None]) -> None:
        super().__init__()
        self.props.update(
            api=api_url,
            base=site_href(site),
            topic="site",
            modes=[{"key": mode, "label": _LABELS[mode]} for mode in MODES],
            scales={name: msgspec.to_builtins(scale) for name, scale in SCALES.items()},
            first=first,
            start=mode if mode in MODES else "condition",
        )
        self.on("go", lambda event: go(text_of(event.args, "href")))
