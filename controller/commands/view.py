"""What people and programs see of commands: frozen values, made from a fold when somebody looks."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from controller.commands.model import RETRYABLE, OrderState, Origin, Status, Step
from controller.commands.progress import CommandProgress, OrderProgress


class CommandSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`counts` has the states that occur; `rule` why it never left, where it did not; `decision` that of dispatch."""

    command_id: str
    site: str
    origin: Origin
    status: Status
    actor: str
    reason: str
    verbs: tuple[str, ...]
    devices: int
    counts: dict[str, int]
    requested_at_ms: int
    issued_at_ms: int | None
    expires_at_ms: int | None
    ended_at_ms: int | None
    approval_until_ms: int | None = None
    approved_by: str = ""
    retry_of: str = ""
    rule: str = ""
    decision: str = ""


class OrderTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One order; the trail holds every step that was heard, the last of them not always the one that counts."""

    device_id: str
    node: str
    verb: str
    state: OrderState
    trail: tuple[Step, ...]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that did not end as ordered for one reason. `retryable` where ordering again can help."""

    state: OrderState
    rule: str
    detail: str
    device_ids: tuple[str, ...]
    retryable: bool


class CommandView(msgspec.Struct, frozen=True, kw_only=True):
    summary: CommandSummary
    orders: tuple[OrderTrail, ...]
    not_as_ordered: tuple[Cause, ...]


def summary_of(progress: CommandProgress) -> CommandSummary:
    parts = progress.parts.values()
    return CommandSummary(
        command_id=progress.command_id,
        site=progress.site,
        origin=progress.origin,
        status=progress.status,
        actor=progress.actor,
        reason=progress.reason,
        verbs=tuple(sorted({order.verb for order in progress.orders})),
        devices=len({order.device_id for order in progress.orders}),
        counts={state.value: count for state, count in progress.counts.items() if count},
        requested_at_ms=progress.requested_at_ms,
        issued_at_ms=min((part.issued_at_ms for part in parts), default=None),
        expires_at_ms=max((part.expires_at_ms for part in parts), default=None),
        ended_at_ms=progress.ended_at_ms,
        approval_until_ms=progress.approval_until_ms,
        approved_by=progress.approved_by,
        retry_of=progress.retry_of,
        rule=progress.dropped_rule,
        decision=decision_of(progress.origin, progress.session),
    )


def decision_of(origin: Origin, session: str) -> str:
    """The decision that dispatch cites; empty where somebody else orders."""
    return session if origin is Origin.DISPATCH else ""


def view_of(progress: CommandProgress) -> CommandView:
    return CommandView(
        summary=summary_of(progress),
        orders=tuple(_trail(order) for order in progress.orders),
        not_as_ordered=tuple(causes(progress.orders)),
    )


def may_retry(order: OrderProgress) -> bool:
    """Nobody knows that it worked, and doing it twice does no harm."""
    return order.state in RETRYABLE and order.action is not None and order.action.repeatable


def causes(orders: Iterable[OrderProgress]) -> list[Cause]:
    """Orders that ended otherwise than confirmed, most frequent cause first; details may differ inside one cause."""
    groups: dict[tuple[OrderState, str, bool], list[OrderProgress]] = defaultdict(list)
    for order in orders:
        if order.state in RETRYABLE or order.state is OrderState.REFUSED:
            groups[order.state, _deciding(order).rule, may_retry(order)].append(order)
    found = [
        Cause(
            state=state,
            rule=rule,
            detail=_deciding(members[0]).detail or _deciding(members[0]).observed,
            device_ids=tuple(order.device_id for order in members),
            retryable=retryable,
        )
        for (state, rule, retryable), members in groups.items()
    ]
    return sorted(found, key=lambda cause: -len(cause.device_ids))


def _deciding(order: OrderProgress) -> Step:
    """The step that brought the order where it stands: the last of its state, or the first where that one stayed."""
    matching = [step for step in order.trail if step.state is order.state]
    return matching[-1] if order.state is OrderState.UNKNOWN else matching[0]


def _trail(order: OrderProgress) -> OrderTrail:
    return OrderTrail(
        device_id=order.device_id, node=order.node, verb=order.verb, state=order.state, trail=tuple(order.trail)
    )
