"""Dispatch's way to the power door: its orders are commands like everybody else's."""

from collections.abc import Sequence

from controller.commands import Actor, CommandService, Origin
from controller.mining.dispatch.ports import OrderLine
from controller.mining.dispatch.service import ACTOR


class DispatchOrders:
    """Fills `controller.mining.dispatch.ports.Orders`."""

    def __init__(self, commands: CommandService) -> None:
        self._commands = commands

    async def issue(
        self, site: str, orders: Sequence[OrderLine], *, reason: str, decision_id: str, expires_in_s: float
    ) -> str:
        by = Actor(name=ACTOR, session=decision_id, origin=Origin.DISPATCH)
        handle = await self._commands.issue(site, orders, reason=reason, actor=by, expires_in_s=expires_in_s)
        return handle.command_id
