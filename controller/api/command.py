"""Commands to devices, alarms, journal."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from controller.api.access import Operator, Viewer
from controller.api.energy import Reason, Typed
from controller.api.number import Offset, PageLimit, Position
from controller.api.shape import Shapes, answer, body_of
from controller.views.alarm import AlarmView
from controller.views.command import CommandDetail, CommandPage, CommandPreview, CommandRequest, CommandView, Selection
from controller.views.journal import JournalPage
from controller.views.ports import Operations
from shared.actions import VERBS, AnyAction
from shared.errors import Malformed

MAX_DEVICES = 10_000


class NewCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One verb for many devices: `device_ids`, or all that `query` matches when the command is issued.

    `parameters` belong to the verb: `limit_w` (W) of set_power_limit, `mode` of set_power_mode, `pools` of set_pools,
    `on` of locate, `outlet` and `on` of switch_outlet. `confirm` repeats what the preview names in its own `confirm`.
    """

    verb: str
    parameters: dict[str, Any] = {}
    device_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_DEVICES)] = ()
    query: str | None = None
    reason: Reason
    confirm: Typed = ""


class CommandRoutes:
    def __init__(self, operations: Operations, shapes: Shapes) -> None:
        self._operations = operations
        self._shapes = shapes

    def router(self) -> APIRouter:
        router, gives, takes = APIRouter(tags=["commands"]), self._shapes.gives, self._shapes.takes
        add, one, body = router.add_api_route, gives(CommandView), takes(NewCommand)
        base = "/sites/{site}/commands"
        add(base, self.listed, responses=gives(CommandPage))
        issued = gives(CommandView, status=201)
        add(base, self.issue, methods=["POST"], status_code=201, responses=issued, openapi_extra=body)
        add(base + "/preview", self.preview, methods=["POST"], responses=gives(CommandPreview), openapi_extra=body)
        add("/commands/{command_id}", self.detail, responses=gives(CommandDetail))
        add("/commands/{command_id}/approval", self.approve, methods=["POST"], responses=one)
        add("/commands/{command_id}/retry", self.retry, methods=["POST"], responses=one)
        add("/sites/{site}/alarms", self.alarms, responses=gives(tuple[AlarmView, ...]))
        add("/alarms/{alarm_id}/acknowledgement", self.acknowledge, methods=["POST"], responses=gives(AlarmView))
        add("/journal", self.journal, responses=gives(JournalPage))
        return router

    async def listed(self, site: str, _actor: Viewer, offset: Offset = 0, limit: PageLimit = 50) -> Response:
        """Commands of a site, newest first, each with how many devices stand in which outcome."""
        return answer(await self._operations.commands.listed(site, offset=offset, limit=limit))

    async def preview(self, site: str, request: Request, actor: Operator) -> Response:
        """How many devices it would reach, what it leaves out and why, what the rules say."""
        command = _command(site, await body_of(request, NewCommand))
        return answer(await self._operations.commands.preview(command, actor))

    async def issue(self, site: str, request: Request, actor: Operator) -> Response:
        """Issue a command; a large one with the preview's `confirm`. Done only when its outcomes say `confirmed`."""
        command = _command(site, await body_of(request, NewCommand))
        return answer(await self._operations.commands.issue(command, actor), status=201)

    async def detail(self, command_id: str, _actor: Viewer) -> Response:
        """One command with the outcome trail of its devices, those not as ordered first."""
        return answer(await self._operations.commands.detail(command_id))

    async def approve(self, command_id: str, actor: Operator) -> Response:
        """The second person's word; never that of the person who issued it."""
        return answer(await self._operations.commands.approve(command_id, actor))

    async def retry(self, command_id: str, actor: Operator) -> Response:
        """A new command for the devices that ended contradicted or unknown."""
        return answer(await self._operations.commands.retry(command_id, actor))

    async def alarms(self, site: str, _actor: Viewer) -> Response:
        """Standing alarms, one a cause."""
        return answer(self._operations.alarms.standing(site))

    async def acknowledge(self, alarm_id: str, actor: Operator) -> Response:
        """Somebody has seen it and acts."""
        return answer(await self._operations.alarms.acknowledge(alarm_id, actor))

    async def journal(
        self,
        _actor: Viewer,
        q: Annotated[str, Query(max_length=200)] = "",
        before: Position = None,
        limit: PageLimit = 50,
    ) -> Response:
        """Search the hash-chained log, newest first."""
        return answer(await self._operations.journal.search(q, before=before, limit=limit))


def _command(site: str, new: NewCommand) -> CommandRequest:
    if bool(new.device_ids) == (new.query is not None):
        raise Malformed("give either device_ids or query")
    selection = Selection(device_ids=new.device_ids, query=new.query)
    action = action_of(new.verb, new.parameters)
    return CommandRequest(site=site, action=action, selection=selection, reason=new.reason, confirm=new.confirm)


def action_of(verb: str, parameters: dict[str, Any]) -> AnyAction:
    """The typed action; raises Malformed for an unknown verb, a missing, unknown or wrong parameter."""
    kind = VERBS.get(verb)
    if kind is None:
        raise Malformed(f"no verb {verb!r}; there are {', '.join(VERBS)}")
    names = kind.__struct_fields__
    if unknown := set(parameters) - set(names):
        raise Malformed(f"{verb} has no parameter {', '.join(sorted(unknown))}; it has {', '.join(names) or 'none'}")
    missing = [name for name in names if name not in parameters]
    if missing:
        raise Malformed(f"{verb} needs {', '.join(missing)}")
    try:
        values = [verb, *(_positional(parameters[name]) for name in names)]
        action: AnyAction = msgspec.convert(values, AnyAction)
    except msgspec.ValidationError as error:
        raise Malformed(f"{verb}: {error}") from error
    return action


def _positional(value: Any) -> Any:
    """Pools arrive as objects and travel as arrays."""
    if isinstance(value, list):
        return [
            [item.get(n, "") for n in ("url", "user", "password")] if isinstance(item, dict) else item for item in value
        ]
    return value
