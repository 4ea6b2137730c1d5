"""One miner that a person holds from dispatch."""

from controller.people.model import Actor, Permission
from controller.views.command import Selection
from controller.views.hold import HoldView, Released
from shared.errors import Denied
from tests.controller.console.fake_fleet import FakeFleet


class FakeHolds:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        layout = fleet.layout
        held = HoldView(
            device_id=layout.device_id[4],
            slot=layout.slot_name[4],
            by="otto",
            at_ms=fleet.clock.now_ms() - 600_000,
            reason="fan swap",
            command_id="cmd-0000",
        )
        self._held = {held.device_id: held}

    def listed(self, site: str) -> tuple[HoldView, ...]:
        self._fleet.frame(site)
        return tuple(self._held.values())

    async def release(self, site: str, selection: Selection, reason: str, actor: Actor) -> Released:
        actor.require(Permission.OPERATE)
        self._fleet.frame(site)
        freed = tuple(device for device in selection.device_ids if self._held.pop(device, None))
        if not freed:
            raise Denied("command.not-held", "no person holds any of these miners")
        return Released(freed)
