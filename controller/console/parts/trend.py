"""A chart over time that reads its points from the API."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nicegui.element import Element

from controller.console.format import Unit

RANGES: tuple[dict[str, Any], ...] = (
    {"hours": 1, "label": "1 h"},
    {"hours": 24, "label": "Day"},
    {"hours": 168, "label": "7 d"},
)

_HOURS = {str(item["hours"]): item["hours"] for item in RANGES}
PRICE_RANGES = RANGES[:2]  # half of the span lies ahead


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`colour` is a token of the theme; `line` a value to compare with, such as a cap, and its label."""

    name: str
    label: str
    url: str
    unit: Unit
    kind: str = "series"
    colour: str = "trend"
    height: int = 180
    hours: int = 1
    line: tuple[float, str] | None = None


def hours_of(query: dict[str, str]) -> int:
    """The range that the address names; an hour where that is none that is offered."""
    hours: int = _HOURS.get(query.get("hours", ""), 1)
    return hours


class Trend(Element, component="trend.js", esm={"bes-draw": "draw"}):
    def __init__(self, chart: Chart, *, zone: str) -> None:
        super().__init__()
        self.props.update(
            url=chart.url,
            kind=chart.kind,
            name=chart.name,
            label=chart.label,
            unit=chart.unit.symbol,
            factor=chart.unit.factor,
            decimals=chart.unit.decimals,
            colour=chart.colour,
            height=chart.height,
            zone=zone,
            ranges=list(RANGES if chart.kind == "series" else PRICE_RANGES),
            line=None if chart.line is None else {"value": chart.line[0], "label": chart.line[1]},
        )
        self.props["start-hours"] = chart.hours


def series_url(api_url: str, subject: str, field: str) -> str:
    return f"{api_url}/series?{urlencode({'subject': subject, 'field': field})}"
