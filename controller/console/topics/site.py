"""The site page: five tiles, how the miners stand, their trends."""

from controller.console.feed import Content, Topic
from controller.console.format import (
    J_PER_TH,
    MISSING,
    USD_PER_H,
    USD_PER_MWH,
    Unit,
    age,
    amount,
    duration,
    hash_unit,
    number,
    percent,
    power_unit,
    quantity,
    signed,
)
from controller.console.topics.words import CONDITIONS, SUSPECT, miners_href
from controller.views.condition import Condition
from controller.views.figure import Figure
from controller.views.history import SeriesRequest
from controller.views.ports import Operations
from controller.views.summary import Summary, summarise
from shared.quality import Quality
from shared.units import energy_price_usd_per_wh

TREND_MS = 3_600_000
TREND_POINTS = 60  # a step of a minute for meters too, so that power and hash rate of one time are divided

_COLOURS = {
    Condition.AS_EXPECTED: "var(--bes-map-expected)",
    Condition.STARTING: "var(--bes-map-expected)",
    Condition.ASLEEP: "var(--bes-map-quiet)",
    Condition.BELOW: "var(--bes-map-below)",
    Condition.FAR_BELOW: "var(--bes-map-far-below)",
    Condition.WARM: "var(--bes-map-warm)",
    Condition.HOT: "var(--bes-map-hot)",
    Condition.FAULT: "var(--bes-map-fault)",
    Condition.UNPOWERED: "var(--bes-text-3)",
    Condition.SILENT: "var(--bes-line-2)",
}


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def site(site_id: str, _subject: str) -> Content:
        summary = summarise(operations.fleet.frame(site_id), operations.energy.state(site_id))
        return site_content(summary, operations.clock.now_ms())

    async def trends(site_id: str, _subject: str) -> Content:
        return await trend_content(operations, site_id)

    return (Topic("site", 1.0, site), Topic("trends", 30.0, trends))


def site_content(summary: Summary, now_ms: int) -> Content:
    return {
        "snapshot": summary.snapshot,
        "tiles": [
            _hashrate(summary, now_ms),
            _power(summary, now_ms),
            _efficiency(summary, now_ms),
            _margin(summary, now_ms),
            _reporting(summary, now_ms),
        ],
        "conditions": [
            {
                "word": condition.word,
                "label": label,
                "count": number(summary.conditions[condition.word]),
                "number": summary.conditions[condition.word],
                "href": miners_href(summary.site, f"state:{condition.word}"),
            }
            for condition, label in CONDITIONS.items()
        ],
    }


async def trend_content(operations: Operations, site: str) -> Content:
    """The last hour of hash rate, power and their quotient, in the units of the views."""
    now_ms = operations.clock.now_ms()
    lines: dict[str, list[float | None]] = {}
    for key, field in (("hashrate", "hashrate_ths"), ("power", "power_w")):
        request = SeriesRequest(
            site=site, subject=site, field=field, from_ms=now_ms - TREND_MS, to_ms=now_ms, points=TREND_POINTS
        )
        lines[key] = list((await operations.history.series(request)).mean)
    lines["efficiency"] = [
        power / hashed if power is not None and hashed else None
        for power, hashed in zip(lines["power"], lines["hashrate"], strict=False)
    ]
    return {"lines": lines}


def _tile(key: str, label: str, figure: Figure, unit: Unit, now_ms: int) -> Content:
    estimated = figure.quality == Quality.ESTIMATED and figure.value is not None
    source = f"{figure.source} · {age(figure.observed_at_ms, now_ms)}" if figure.value is not None else figure.reason
    return {
        "key": key,
        "label": label,
        "value": ("≈ " if estimated else "") + amount(figure.value, unit),
        "unit": unit.symbol if figure.value is not None else "",
        "number": figure.value,
        "suspect": figure.quality in SUSPECT,
        "source": source,
        "note": figure.note,
        "delta": "",
        "band": [figure.low, figure.high] if figure.low is not None and figure.high is not None else None,
    }


def _hashrate(summary: Summary, now_ms: int) -> Content:
    figure = summary.hashrate_ths
    tile = _tile("hashrate", "Hash rate", figure, hash_unit(figure.high or figure.value or 0.0), now_ms)
    if figure.value is not None and figure.low is not None and figure.high:
        expected = (figure.low + figure.high) / 2
        tile["delta"] = f"{signed(100 * (figure.value / expected - 1))} % against expected"
    return tile


def _power(summary: Summary, now_ms: int) -> Content:
    unit = power_unit(summary.power_w.value)
    tile = _tile("power", "Power by meter", summary.power_w, unit, now_ms)
    metered, reported = summary.power_w.value, summary.miners_power_w.value
    if metered and reported is not None:
        rest = signed((metered - reported) / unit.factor, unit.decimals)
        tile["delta"] = f"miners say {amount(reported, unit)}, meter {rest} {unit.symbol}"
    return tile


def _efficiency(summary: Summary, now_ms: int) -> Content:
    tile = _tile("efficiency", "Efficiency", summary.efficiency_j_per_th, J_PER_TH, now_ms)
    tile["delta"] = f"{number(summary.conditions[Condition.ASLEEP.word])} asleep by order"
    return tile


def _margin(summary: Summary, now_ms: int) -> Content:
    tile = _tile("margin", "Margin now", summary.profit_usd_h, USD_PER_H, now_ms)
    price, power = summary.price_usd_mwh.value, summary.power_w.value
    tile["delta"] = f"at {quantity(price, USD_PER_MWH)}"
    if summary.break_even_usd_mwh is not None:
        tile["delta"] += f", break-even {number(summary.break_even_usd_mwh, 0)}"
    profit = summary.profit_usd_h.value
    if price is not None and power is not None and profit is not None:
        cost = max(0.0, power * energy_price_usd_per_wh(price))
        tile["parts"] = [
            {"key": "cost", "count": cost, "colour": "var(--bes-price)"},
            {"key": "profit", "count": max(0.0, profit), "colour": "var(--bes-trend)"},
        ]
        tile["note"] = f"Energy costs {quantity(cost, USD_PER_H)}; the dark part of the bar is what stays."
    return tile


def _reporting(summary: Summary, now_ms: int) -> Content:
    odd = [
        {"text": f"{summary.conditions[condition.word]:,} {CONDITIONS[condition]}",
         "href": miners_href(summary.site, f"state:{condition.word}")}
        for condition in (Condition.UNPOWERED, Condition.SILENT, Condition.FAULT)
        if summary.conditions[condition.word]
    ]  # fmt: skip
    share = 100.0 * summary.reporting / summary.miners if summary.miners else None
    return {
        "key": "reporting",
        "label": "Reporting",
        "value": number(summary.reporting),
        "unit": f"of {number(summary.miners)}",
        "number": None,
        "source": f"{percent(share, 1)} · read {duration((now_ms - summary.at_ms) / 1000)} ago" if share else MISSING,
        "note": "Silent miners count as nothing in every sum.",
        "delta": "" if odd else "none silent, none without power",
        "links": odd or None,
        "parts": [
            {"key": condition.word, "count": summary.conditions[condition.word], "colour": colour}
            for condition, colour in _COLOURS.items()
            if summary.conditions[condition.word]
        ],
    }
