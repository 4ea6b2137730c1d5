"""Commands of people through the power door, and what became of them."""

from collections import Counter
from collections.abc import Iterator

from controller.commands import Actor as Sender
from controller.commands import CommandHandle, CommandService, Confirmation, Origin
from controller.commands.model import Excluded as ExcludedOrder
from controller.commands.model import OrderRequest as OrderLine
from controller.commands.progress import CommandProgress, OrderProgress
from controller.commands.view import summary_of
from controller.operations.command_log import CommandLog
from controller.operations.command_view import SEVERITY, command_view, outcome_view, with_change
from controller.operations.effect import change_w, feeder_check
from controller.operations.history import LiveHistory
from controller.operations.moment import Moments
from controller.operations.selection import chosen, lines
from controller.people.model import Actor, Permission
from controller.views.command import (
    CommandDetail,
    CommandPage,
    CommandPreview,
    CommandRequest,
    CommandView,
    DeviceCommand,
    Excluded,
)
from shared.clock import Clock
from shared.errors import Denied, NotFound

EXPIRES_IN_S = 120.0
MOST_OUTCOMES = 1000
METER_SETTLES_MS = 30_000


class LiveCommands:
    """Fills `controller.views.ports.Commands`."""

    def __init__(
        self, moments: Moments, commands: CommandService, log: CommandLog, history: LiveHistory, clock: Clock
    ) -> None:
        self._moments = moments
        self._commands = commands
        self._log = log
        self._history = history
        self._clock = clock

    async def preview(self, request: CommandRequest, actor: Actor) -> CommandPreview:
        moment = self._moments.of(request.site)
        picked = chosen(moment, request)
        wanted = tuple(lines(moment, picked, request.action))
        if not wanted:
            return CommandPreview(
                snapshot=moment.frame.snapshot,
                included=0,
                selected=picked.selected,
                power_change_w=None,
                excluded=picked.excluded,
            )
        handle = await self._asked(request, wanted, sender_of(actor), dry_run=True)
        left_out = {order.device_id for order in handle.excluded}
        device_id = moment.frame.layout.device_id
        rows = picked.rows[[device_id[row] not in left_out for row in picked.rows.tolist()]]
        change = change_w(moment, rows, request.action)
        return CommandPreview(
            snapshot=moment.frame.snapshot,
            included=handle.devices,
            selected=picked.selected,
            power_change_w=None if change is None else float(change.sum()),
            excluded=(*picked.excluded, *_reasons(handle.excluded)),
            checks=() if change is None else (feeder_check(moment, rows, change),),
            confirm=handle.confirm,
            second_person=handle.confirmation is Confirmation.SECOND_PERSON,
        )

    async def issue(self, request: CommandRequest, actor: Actor) -> CommandView:
        """What can be ordered of the selection now; Denied `command.empty` where nothing of it can, and
        `command.not-confirmed` where it reaches another number of devices than was typed.
        """
        actor.require(Permission.OPERATE)
        moment, sender = self._moments.of(request.site), sender_of(actor)
        wanted = tuple(lines(moment, chosen(moment, request), request.action))
        try:
            tried = await self._asked(request, wanted, sender, dry_run=True)
        except Denied:
            handle = await self._asked(request, wanted, sender)  # refused again, and now the journal has it
        else:
            handle = await self._commands.issue_preview(tried.command_id, actor=sender, typed=request.confirm)
        return await self._view(handle.command_id)

    async def approve(self, command_id: str, actor: Actor) -> CommandView:
        actor.require(Permission.OPERATE)
        await self._progress(command_id)
        await self._commands.approve(command_id, sender_of(actor))
        return await self._view(command_id)

    async def retry(self, command_id: str, actor: Actor) -> CommandView:
        actor.require(Permission.OPERATE)
        await self._progress(command_id)
        handle = await self._commands.retry(command_id, actor=sender_of(actor))
        return await self._view(handle.command_id)

    async def listed(self, site: str, *, offset: int = 0, limit: int = 50) -> CommandPage:
        self._moments.of(site)
        board = self._commands.board
        found = board.listed(site, offset=offset, limit=limit)
        commands = tuple(command_view(summary, self._log.requested(summary.command_id)) for summary in found)
        return CommandPage(total=board.count(site), offset=offset, commands=commands)

    async def of_device(self, site: str, device_id: str, *, limit: int = 10) -> tuple[DeviceCommand, ...]:
        layout = self._moments.of(site).frame.layout
        slot = layout.slot_name[layout.row_of[device_id]] if device_id in layout.row_of else device_id
        found = []
        for command_id in self._log.of_device(device_id)[:limit]:
            progress = await self._commands.progress(command_id)
            if progress is None or progress.site != site:
                continue
            view = command_view(summary_of(progress), self._log.requested(command_id))
            found += [DeviceCommand(command=view, outcome=outcome_view(o, slot)) for o in _of(progress, device_id)]
        return tuple(found[:limit])

    async def detail(self, command_id: str) -> CommandDetail:
        progress = await self._progress(command_id)
        layout = self._moments.of(progress.site).frame.layout
        ranked = sorted(progress.orders, key=lambda order: SEVERITY.get(order.state, len(SEVERITY)))
        outcomes = tuple(
            outcome_view(order, layout.slot_name[layout.row_of[order.device_id]])
            if order.device_id in layout.row_of
            else outcome_view(order, order.device_id)
            for order in ranked[:MOST_OUTCOMES]
        )
        view = command_view(summary_of(progress), self._log.requested(command_id))
        return CommandDetail(command=await self._measured(view, progress), outcomes=outcomes)

    async def _asked(
        self, request: CommandRequest, wanted: tuple[OrderLine, ...], sender: Sender, *, dry_run: bool = False
    ) -> CommandHandle:
        reason = request.reason or ("preview" if dry_run else "")
        return await self._commands.issue(
            request.site,
            wanted,
            reason=reason,
            actor=sender,
            expires_in_s=EXPIRES_IN_S,
            typed=request.confirm,
            dry_run=dry_run,
        )

    async def _view(self, command_id: str) -> CommandView:
        return command_view(summary_of(await self._progress(command_id)), self._log.requested(command_id))

    async def _progress(self, command_id: str) -> CommandProgress:
        progress = await self._commands.progress(command_id)
        if progress is None:
            raise NotFound(f"no command {command_id!r}")
        return progress

    async def _measured(self, view: CommandView, progress: CommandProgress) -> CommandView:
        """With what the site's meter has shown from the issue until a little after the end."""
        if not progress.parts:
            return view
        ended_ms = progress.ended_at_ms
        until_ms = self._clock.now_ms()
        if ended_ms is not None:
            until_ms = min(until_ms, ended_ms + METER_SETTLES_MS)
        changed_w = await self._history.meter_change_w(view.site, view.issued_at_ms, until_ms)
        return view if changed_w is None else with_change(view, changed_w)


def sender_of(actor: Actor) -> Sender:
    """The same person or program, in the power door's words."""
    origin = Origin.PROGRAM if actor.program else Origin.PERSON
    return Sender(name=actor.name, session=actor.key, origin=origin, sponsor=actor.created_by)


def _reasons(excluded: tuple[ExcludedOrder, ...]) -> Iterator[Excluded]:
    counts = Counter(order.detail for order in excluded)
    return (Excluded(detail, count) for detail, count in counts.most_common(10))


def _of(progress: CommandProgress, device_id: str) -> Iterator[OrderProgress]:
    return (order for order in progress.orders if order.device_id == device_id)
