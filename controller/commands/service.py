"""The power door: every order of a person or a program enters here."""

import secrets
from collections.abc import Sequence

import msgspec

from controller.commands.approval import checked_pending
from controller.commands.authority import AuthorityPolicy, check_second_person, check_typed
from controller.commands.board import PREFIX, CommandBoard
from controller.commands.draft import Draft, Request, drafted
from controller.commands.event import (
    CommandApproved,
    CommandDropped,
    CommandIssued,
    CommandRequested,
    RequestDenied,
    codec,
    command_stream,
)
from controller.commands.hold import HoldBook, change_of
from controller.commands.model import Actor, CommandHandle, Confirmation, OrderRequest, Origin, Status
from controller.commands.plan import PlanDesk, PlanRequest
from controller.commands.ports import Directory
from controller.commands.progress import CommandProgress
from controller.commands.redelivery import Redelivery
from controller.commands.refusal import Refusal
from controller.commands.retry import retried
from controller.commands.seal import CommandKeys, Counters, Sealer, frame_of
from controller.commands.view import CommandView, view_of
from controller.journal import Append, Commit, Journal, NewEvent, SideEffect
from shared.clock import Clock
from shared.errors import Denied

PREVIEWS_KEPT = 1_000


class CommandService:
    """`Denied` carries the rule's id of every refusal; what was refused is in the journal too.

    A command is issued when it is durable and signed; the outbox then hands it to the broker (`delivery`), and the
    nodes' outcomes come back through `inbox`. `board` is the read model; `holds` are the miners that people operate.
    """

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        keys: CommandKeys,
        clock: Clock,
        policy: AuthorityPolicy | None = None,
    ) -> None:
        counters = Counters()
        self.board = CommandBoard(counters)
        self._journal = journal
        self._directory = directory
        self._clock = clock
        self._policy = policy or AuthorityPolicy()
        self._sealer = Sealer(keys, counters)
        self._plans = PlanDesk(journal, directory, self._sealer, clock)
        self.holds = HoldBook(journal)
        self._redelivery = Redelivery(journal, self.board, self._sealer, clock)
        self._previews: dict[str, tuple[int, Request]] = {}
        journal.subscribe(self.board.fold)

    async def issue(
        self,
        site: str,
        orders: Sequence[OrderRequest],
        *,
        reason: str,
        actor: Actor,
        expires_in_s: float,
        typed: str = "",
        second_actor: Actor | None = None,
        dry_run: bool = False,
    ) -> CommandHandle:
        """Check, write down, sign and queue; PENDING where a second person has to approve and none is given.

        A dry run answers with a preview: what would go out, what not and why, how much confirmation it needs and what
        is to be `typed` for it.
        """
        request = Request(
            site=site, orders=tuple(orders), reason=reason.strip(), actor=actor, expires_in_s=expires_in_s, typed=typed
        )
        if dry_run:
            return self._preview(request)
        return await self._issue(request, second_actor)

    async def issue_preview(
        self, preview_id: str, *, actor: Actor, typed: str = "", second_actor: Actor | None = None
    ) -> CommandHandle:
        """Issue what a preview included, within a minute; an order that has become impossible since refuses it."""
        valid_until_ms, request = self._previews.pop(preview_id, (0, None))
        if request is None or self._clock.now_ms() > valid_until_ms:
            raise Denied(Refusal.EXPIRED_PREVIEW, "the preview is too old; look at the effect again")
        return await self._issue(msgspec.structs.replace(request, actor=actor, typed=typed), second_actor)

    async def approve(self, command_id: str, actor: Actor) -> CommandHandle:
        """Give the second person's word: the command is checked again, signed by both keys and queued."""
        pending = checked_pending(await self.progress(command_id), command_id, self._clock.now_ms())
        check_second_person(pending.actor, actor)
        draft = self._included(pending.again(), pending.progress.site)
        issued, effects = self._issued(command_id, draft, approved=True)
        events = (codec.encode(CommandApproved(command_id), actor.name), *issued)
        append = Append(command_stream(command_id), events, pending.progress.version)
        await self._write_issued(append, effects, draft)
        return _handle(command_id, Status.RUNNING, draft)

    async def reject(self, command_id: str, actor: Actor, reason: str) -> None:
        """Refuse to approve, or take back what waits for approval."""
        pending = checked_pending(await self.progress(command_id), command_id, self._clock.now_ms())
        if not reason.strip():
            raise Denied(Refusal.REASON_MISSING, "say why; the reason stays with the command")
        event = codec.encode(CommandDropped(command_id, Refusal.REJECTED, reason.strip()), actor.name)
        await self._write(Append(command_stream(command_id), (event,), pending.progress.version))

    async def retry(self, command_id: str, *, actor: Actor, second_actor: Actor | None = None) -> CommandHandle:
        """A new command for what was contradicted or stayed unknown; what must not happen twice is left out.

        Nothing is typed for it: it is a part of what was confirmed when it was ordered first.
        """
        progress = await self.progress(command_id)
        if progress is None:
            raise _unknown(command_id)
        return await self._issue(retried(progress, actor), second_actor)

    async def issue_plan(self, request: PlanRequest, *, actor: Actor) -> str:
        """Sign and queue what a site does while nobody talks to it; returns the plan's id."""
        return await self._plans.issue(request, actor)

    async def node_returned(self, site: str, node: str) -> None:
        """A node is connected, again or still: it gets what it may have missed."""
        await self._redelivery.node_returned(site, node)

    async def view(self, command_id: str) -> CommandView:
        """A command with every order's trail, however old."""
        progress = await self.progress(command_id)
        if progress is None:
            raise _unknown(command_id)
        return view_of(progress)

    async def settled(self, command_id: str) -> CommandView:
        """The same, once everything about it is known; bound the wait with `asyncio.timeout`."""
        while True:
            progress = await self.progress(command_id)
            if progress is None:
                raise _unknown(command_id)
            if progress.over:
                return view_of(progress)
            await self._journal.wait()

    async def progress(self, command_id: str) -> CommandProgress | None:
        """The fold of a command, from memory or from its stream; None where there is none."""
        held = self.board.find(command_id)
        if held is not None:
            return held
        return self.board.put(command_id, await self._journal.stream(command_stream(command_id)))

    def _preview(self, request: Request) -> CommandHandle:
        draft = drafted(request, self._directory, self._policy)
        now_ms = self._clock.now_ms()
        self._previews = {key: kept for key, kept in self._previews.items() if kept[0] >= now_ms}
        if len(self._previews) >= PREVIEWS_KEPT:
            self._previews.pop(next(iter(self._previews)))
        preview_id = f"p-{secrets.token_hex(8)}"
        valid_until_ms = now_ms + int(1000 * self._policy.preview_valid_s)
        included = tuple((line.device_id, line.action, line.expected_state) for line in draft.lines)
        self._previews[preview_id] = (valid_until_ms, msgspec.structs.replace(request, orders=included))
        handle = _handle(preview_id, Status.PREVIEW, draft)
        return msgspec.structs.replace(handle, valid_until_ms=valid_until_ms)

    async def _issue(self, request: Request, second_actor: Actor | None) -> CommandHandle:
        try:
            draft = self._included(request, request.site)
            if not request.retry_of:
                check_typed(draft.confirm, request.typed)
            needs_second = draft.confirmation is Confirmation.SECOND_PERSON
            if needs_second and second_actor is not None:
                check_second_person(request.actor, second_actor)
        except Denied as denied:
            await self._write_denial(request, denied)
            raise
        command_id = new_command_id(self._clock.now_ms())
        requested = self._requested(command_id, draft, waits=needs_second and second_actor is None)
        if requested.approval_until_ms is not None:
            waiting = (codec.encode(requested, request.actor.name),)
            await self._write(Append(command_stream(command_id), waiting, 0))
            return _handle(command_id, Status.PENDING, draft)
        approver = second_actor if needs_second else None
        issued, effects = self._issued(command_id, draft, approved=approver is not None)
        approved = [codec.encode(CommandApproved(command_id), approver.name)] if approver else []
        events = (codec.encode(requested, request.actor.name), *approved, *issued)
        await self._write_issued(Append(command_stream(command_id), events, 0), effects, draft)
        return _handle(command_id, Status.RUNNING, draft)

    def _included(self, request: Request, site: str) -> Draft:
        """A draft of which nothing is left out; the first excluded order refuses the whole."""
        draft = drafted(request, self._directory, self._policy)
        if draft.excluded:
            first = draft.excluded[0]
            others = f" (and {len(draft.excluded) - 1} more)" if len(draft.excluded) > 1 else ""
            raise Denied(first.rule, f"{site}/{first.device_id}: {first.detail}{others}")
        return draft

    def _requested(self, command_id: str, draft: Draft, *, waits: bool) -> CommandRequested:
        request = draft.request
        until_ms = self._clock.now_ms() + int(1000 * self._policy.approval_within_s)
        return CommandRequested(
            command_id=command_id,
            site=request.site,
            origin=request.actor.origin,
            session=request.actor.session,
            reason=request.reason,
            expires_in_s=request.expires_in_s,
            orders=draft.lines,
            reach=draft.reach,
            confirmation=draft.confirmation,
            approval_until_ms=until_ms if waits else None,
            retry_of=request.retry_of,
            sponsor=request.actor.sponsor,
        )

    def _issued(
        self, command_id: str, draft: Draft, *, approved: bool
    ) -> tuple[tuple[NewEvent, ...], tuple[SideEffect, ...]]:
        request = draft.request
        frame = frame_of(command_id, request.site, request.reason, self._clock.now_ms(), request.expires_in_s)
        parts, effects = self._sealer.command(frame, draft.lines, approved=approved)
        return (codec.encode(CommandIssued(command_id, request.site, parts), request.actor.name),), effects

    async def _write_issued(self, append: Append, effects: tuple[SideEffect, ...], draft: Draft) -> None:
        """An order that goes out, with what it means for dispatch."""
        request, site = draft.request, self._directory.site(draft.request.site)
        if site is None or request.actor.origin is Origin.DISPATCH:
            await self._write(append, effects=effects)
            return
        change = change_of(site, draft.lines)
        command_id = append.stream.removeprefix(PREFIX)
        with self.holds.coming(site.id, change):
            holds = self.holds.appends(site.id, change, command_id, request.reason, request.actor.name)
            await self._write(append, *holds, effects=effects)

    async def _write(self, *appends: Append, effects: tuple[SideEffect, ...] = ()) -> None:
        await self._journal.commit(Commit(appends=appends, effects=effects))

    async def _write_denial(self, request: Request, denied: Denied) -> None:
        fact = RequestDenied(request.site, denied.rule, denied.detail, len(request.orders))
        await self._journal.append("command-denied", [codec.encode(fact, request.actor.name)])


def new_command_id(now_ms: int) -> str:
    """Sorts by time; see `inbox` for the form in which nodes send it back."""
    return f"c-{now_ms:012x}-{secrets.token_hex(4)}"


def _unknown(command_id: str) -> Denied:
    return Denied(Refusal.UNKNOWN_COMMAND, f"there is no command {command_id!r}")


def _handle(command_id: str, status: Status, draft: Draft) -> CommandHandle:
    return CommandHandle(
        command_id=command_id,
        status=status,
        devices=draft.reach.devices,
        nodes=tuple(dict.fromkeys(line.node for line in draft.lines)),
        reach=draft.reach,
        confirmation=draft.confirmation,
        confirm=draft.confirm,
        excluded=draft.excluded,
    )
