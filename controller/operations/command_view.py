"""From the power door's words to those of the views."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from controller.commands import CommandSummary, OrderState, Status
from controller.commands.model import Step
from controller.commands.progress import OrderProgress
from controller.operations.command_log import Requested
from controller.views.command import CommandView, OutcomeStep, OutcomeView

_WORDS = {OrderState.PENDING: "waiting", OrderState.ISSUED: "waiting", OrderState.SENT: "sent"}
_PHASES = {
    Status.PENDING: "awaiting-approval",
    Status.RUNNING: "running",
    Status.ENDED: "ended",
    Status.REFUSED: "expired",
}
SEVERITY = {OrderState.CONTRADICTED: 0, OrderState.UNKNOWN: 1, OrderState.REFUSED: 2}
"""Outcomes that are not as ordered, in the order in which people look at them."""


def command_view(summary: CommandSummary, requested: Requested | None) -> CommandView:
    issued_at_ms = summary.requested_at_ms if summary.issued_at_ms is None else summary.issued_at_ms
    expires_at_ms = summary.expires_at_ms or summary.approval_until_ms or issued_at_ms
    verb = ", ".join(summary.verbs)
    miners = f"{summary.devices:,} device" + ("" if summary.devices == 1 else "s")
    return CommandView(
        id=summary.command_id,
        site=summary.site,
        verb=verb,
        title=f"{verb.replace('_', ' ')} for {miners}",
        reason=summary.reason,
        issued_by=summary.actor,
        issued_at_ms=issued_at_ms,
        expires_at_ms=expires_at_ms,
        phase=_PHASES[summary.status],
        devices=summary.devices,
        counts=counts_in_words({OrderState(state): count for state, count in summary.counts.items()}),
        approved_by=summary.approved_by,
        retry_of=summary.retry_of,
        decision=summary.decision,
        journal_seq=None if requested is None else requested.position,
    )


def with_change(view: CommandView, changed_w: float) -> CommandView:
    return msgspec.structs.replace(view, measured_change_w=changed_w)


def counts_in_words(counts: Mapping[OrderState, int]) -> dict[str, int]:
    """Without the states in which nobody is."""
    found: Counter[str] = Counter()
    for state, count in counts.items():
        if count:
            found[_word(state)] += count
    return dict(found)


def outcome_view(order: OrderProgress, slot: str) -> OutcomeView:
    """The step that counts stands last, whatever was heard after it."""
    deciding = [step for step in order.trail if step.state is order.state][-1:]
    others = [step for step in order.trail if step not in deciding]
    return OutcomeView(device_id=order.device_id, slot=slot, trail=tuple(map(_step, (*others, *deciding))))


def _step(step: Step) -> OutcomeStep:
    return OutcomeStep(
        state=_word(step.state),
        at_ms=step.at_ms,
        rule=step.rule,
        detail=step.detail,
        observed=step.observed,
        evidence=step.evidence,
    )


def _word(state: OrderState) -> str:
    return _WORDS.get(state, state.value)
