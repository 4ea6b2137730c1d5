"""A card of the miners that people operate, with the way back to dispatch; on a miner's page only its own hold."""

from controller.console.pages.page import Page, card
from controller.console.parts.sheet import Column, Sheet
from controller.people.model import Actor, Permission
from controller.views.command import Selection
from controller.views.hold import Released

REASON = "released by hand"
_COLUMNS = (
    Column("miners", "Miners", lead=True),
    Column("by", "Held by"),
    Column("reason", "Reason", wrap=True),
    Column("since", "Since", end=True),
    Column("release", ""),
)


async def hold_card(page: Page, device_id: str = "") -> None:
    topic, empty = ("hold", "Dispatch operates it.") if device_id else ("holds", "Dispatch operates all miners.")

    async def act(row_id: str, name: str) -> None:
        if name != "release":
            return

        async def send(actor: Actor) -> Released:
            listed = page.operations.holds.listed(page.site.id)
            devices = tuple(view.device_id for view in listed if row_id in (view.device_id, view.command_id))
            return await page.operations.holds.release(page.site.id, Selection(device_ids=devices), REASON, actor)

        await page.visit.act(Permission.OPERATE, send)
        page.visit.feed.spoil(topic)

    with card("Held by people", "dispatch leaves them alone; limits count what they draw"):
        rows = await page.follow(topic, device_id)
        sheet = Sheet(_COLUMNS, rows, topic=topic, caption="Held by people", empty=empty)
        sheet.on_act(act, operates=page.operates)
