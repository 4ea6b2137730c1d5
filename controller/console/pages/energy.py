"""Energy: the curtailment that runs, feeders against limits, meters against miners, prices, the dispatch's reasons."""

from nicegui import ui

from controller.console.format import USD_PER_MWH, power_unit
from controller.console.pages.decision import decision_card
from controller.console.pages.hold import hold_card
from controller.console.pages.page import Page, card, heading
from controller.console.parts.curtail_dialog import CurtailDialog, open_restore
from controller.console.parts.panel import Landing, Sentences
from controller.console.parts.sheet import Column, Sheet
from controller.console.parts.trend import Chart, Trend, series_url
from controller.people.model import Permission

FEEDERS = (
    Column("name", "Feeder"),
    Column("load", "Load", end=True),
    Column("limit", "Limit", end=True),
    Column("share", "Of limit"),
    Column("source", "Source and age", phone=False),
)
METERS = (
    Column("name", "Meter", lead=True),
    Column("power", "Meter", end=True),
    Column("miners", "Miners say", end=True),
    Column("residual", "Not reported", end=True),
    Column("pf", "Power factor", end=True),
    Column("frequency", "Hz", end=True),
    Column("energy", "Import MWh", end=True),
    Column("age", "Read", end=True),
)
CURTAILMENTS = (
    Column("when", "Started", lead=True),
    Column("reduction", "Ordered", end=True),
    Column("landed", "Time to target", end=True),
    Column("phase", "Phase"),
    Column("reason", "Reason", wrap=True),
)


async def build(page: Page) -> None:
    state = page.operations.energy.state(page.site.id)
    unit = power_unit(state.power_w.value)
    heading(f"Energy of {page.site.name}", spoken=True)
    with ui.element("div").classes("bes-cards bes-even"):
        with card():
            await _landing(page)
        with card():
            url = f"{page.api_url}/prices"
            break_even = state.market.break_even_usd_mwh
            line = (break_even, "break-even") if break_even is not None else None
            Trend(
                Chart(
                    name="price", label="Energy price", url=url, unit=USD_PER_MWH, kind="prices", colour="price",
                    hours=24, line=line, height=160,
                ),
                zone=page.site.time_zone,
            )  # fmt: skip
    with ui.element("div").classes("bes-cards bes-two"):
        with ui.element("div").classes("bes-stack"), card("Feeders", unit.symbol):
            feeders = await page.follow("feeders")
            Sheet(
                FEEDERS,
                feeders,
                topic="feeders",
                caption="Feeders",
                empty="The site's file names no feeder.",
                stacks=False,
            )
        with ui.element("div").classes("bes-stack"):
            with card():
                url = series_url(page.api_url, page.site.id, "power_w")
                cap = (state.cap_w, f"cap: {state.cap_reason}") if state.cap_w is not None else None
                Trend(Chart(name="power", label="Power", url=url, unit=unit, line=cap), zone=page.site.time_zone)
            with card("Dispatch"):
                Sentences(await page.follow("decision"), topic="decision")
            await decision_card(page)
            await hold_card(page)
            with card("Curtailments", f"{unit.symbol}; landed when the meter says so"):
                done = await page.follow("curtailments")
                Sheet(CURTAILMENTS, done, topic="curtailments", caption="Curtailments", empty="None yet.")
    with card("Meters", f"{unit.symbol}; what miners do not report is fans, losses and error"):
        Sheet(METERS, await page.follow("meters"), topic="meters", caption="Meters", empty="No meter is configured.")


async def _landing(page: Page) -> None:
    async def act(name: str, curtailment_id: str) -> None:
        curtailments = page.operations.curtailments
        if name == "curtail":
            if page.visit.may(Permission.OPERATE):
                await CurtailDialog(page.visit, page.site).open()
        elif name == "approve":
            await page.visit.act(Permission.OPERATE, lambda actor: curtailments.approve(curtailment_id, actor))
        elif name == "end" and page.visit.may(Permission.OPERATE):
            open_restore(page.visit, curtailment_id)
        for topic in ("curtailment", "curtailments"):
            page.visit.feed.spoil(topic)

    Landing(await page.follow("curtailment"), operates=page.operates, act=act)
