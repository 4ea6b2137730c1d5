"""The site at a glance: five tiles, the map, the electrical tree, what needs a person."""

from nicegui import ui

from controller.console.feed import Content
from controller.console.format import hash_unit, power_unit
from controller.console.pages.energy import FEEDERS
from controller.console.pages.page import Page, card, heading
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.site_map import SiteMap
from controller.console.parts.tiles import Tiles
from controller.console.parts.trend import Chart, Trend, hours_of, series_url
from controller.console.topics.words import site_href
from controller.people.model import Permission

ALARMS = (
    Column("mark", "", lead=True),
    Column("text", "Alarm", wrap=True, lead=True),
    Column("members", "Touches", end=True),
    Column("action", "To do", wrap=True),
    Column("age", "Since", end=True),
    Column("state", "State", end=True),
)
WIDE_MAP_MINERS = 1_500  # more need the whole width for cells that can be told apart


async def build(page: Page) -> None:
    site, trends = await page.follow("site"), await page.follow("trends")
    heading(page.site.name, spoken=True)
    Tiles(site, trends)
    wide = len(page.operations.fleet.frame(page.site.id)) > WIDE_MAP_MINERS
    if wide:
        _map(page, site)
    with ui.element("div").classes("bes-cards bes-two"):
        with ui.element("div").classes("bes-stack"):
            if not wide:
                _map(page, site)
            with card("Needs a person").classes("bes-first"):
                await alarms(page)
        with ui.element("div").classes("bes-stack"):
            with card("Electrical tree", "load against continuous limit; PDUs only where full"):
                Sheet(
                    FEEDERS,
                    await page.follow("main-feeders"),
                    topic="main-feeders",
                    caption="Feeders with load and limit",
                    empty="The site's file names no feeder.",
                    stacks=False,
                )
                with ui.element("a").classes("bes-link").props(f"href={site_href(page.site.id, 'energy')}"):
                    ui.label("All feeders")
            _charts(page)


async def alarms(page: Page, topic: str = "alarms", subject: str = "") -> None:
    """The standing alarms with their acknowledgement: of the site, or of the miner that is the `subject`."""
    sheet = Sheet(
        ALARMS,
        await page.follow(topic, subject),
        topic=topic,
        caption="Standing alarms",
        empty="Nothing needs a person.",
    )

    async def act(alarm_id: str, name: str) -> None:
        if name == "acknowledge":
            work = page.operations.alarms.acknowledge
            await page.visit.act(Permission.OPERATE, lambda actor: work(alarm_id, actor))
            for changed in ("alarms", "miner-alarms", "shell"):
                page.visit.feed.spoil(changed)

    sheet.on_act(act, operates=page.operates)


def _map(page: Page, site: Content) -> None:
    with card():
        SiteMap(page.site.id, site, api_url=page.api_url, mode=page.query.get("map", ""), go=page.visit.go)


def _charts(page: Page) -> None:
    state = page.operations.energy.state(page.site.id)
    cap = (state.cap_w, "cap") if state.cap_w is not None else None
    hours = hours_of(page.query)
    frame = page.operations.fleet.frame(page.site.id)
    charts = (
        Chart(
            name="power",
            label="Power",
            url=series_url(page.api_url, page.site.id, "power_w"),
            unit=power_unit(state.power_w.value),
            line=cap,
            hours=hours,
        ),
        Chart(
            name="hashrate",
            label="Hash rate",
            url=series_url(page.api_url, page.site.id, "hashrate_ths"),
            unit=hash_unit(frame.live_hashrate_ths),
            hours=hours,
        ),
    )
    for chart in charts:
        with card():
            Trend(chart, zone=page.site.time_zone)
