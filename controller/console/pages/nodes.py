"""Agents and the gap ledger."""

from controller.console.pages.page import Page, card, heading
from controller.console.parts.sheet import Column, Sheet

_NODES = (
    Column("node", "Node", lead=True),
    Column("contact", "Last contact", wrap=True),
    Column("devices", "Devices up", end=True),
    Column("backlog", "Backlog rows", end=True),
    Column("oldest", "Oldest", end=True),
    Column("clock", "Clock", wrap=True),
    Column("cpu", "CPU %", end=True),
    Column("disk", "Disk free GB", end=True),
    Column("gaps", "Gaps", end=True),
    Column("software", "Software"),
)
_GAPS = (
    Column("node", "Node", lead=True),
    Column("from", "From"),
    Column("length", "Length", end=True),
    Column("samples", "Samples lost", end=True),
    Column("reason", "Reason"),
    Column("rows", "Epoch and rows"),
)


async def build(page: Page) -> None:
    heading("Nodes")
    with card("Agents"):
        Sheet(_NODES, await page.follow("nodes"), topic="nodes", caption="Agents", empty="No agent is enrolled.")
    with card("Gap ledger", "samples that are gone for good, and why; charts draw them hatched"):
        Sheet(_GAPS, await page.follow("gaps"), topic="gaps", caption="Gaps", empty="Nothing is missing.")
