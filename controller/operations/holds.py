"""Miners that people operate, and their way back to dispatch."""

import numpy as np

from controller.commands import HoldBook
from controller.operations.moment import Moments
from controller.people.model import Actor, Permission
from controller.views.command import Selection
from controller.views.hold import HoldView, Released
from controller.views.query import parse, select


class LiveHolds:
    """Fills `controller.views.ports.Holds`."""

    def __init__(self, moments: Moments, book: HoldBook) -> None:
        self._moments = moments
        self._book = book

    def listed(self, site: str) -> tuple[HoldView, ...]:
        layout = self._moments.of(site).frame.layout
        views = (
            HoldView(
                device_id=device,
                slot=layout.slot_name[layout.row_of[device]] if device in layout.row_of else device,
                by=hold.by,
                at_ms=hold.at_ms,
                reason=hold.reason,
                command_id=hold.command_id,
            )
            for device, hold in self._book.of(site).items()
        )
        return tuple(sorted(views, key=lambda view: (-view.at_ms, view.slot)))

    async def release(self, site: str, selection: Selection, reason: str, actor: Actor) -> Released:
        actor.require(Permission.OPERATE)
        frame = self._moments.of(site).frame
        devices = selection.device_ids
        if selection.query is not None:
            rows = np.flatnonzero(select(frame, parse(selection.query))).tolist()
            devices = tuple(frame.layout.device_id[row] for row in rows)
        return Released(await self._book.release(site, devices, reason, actor.name))
