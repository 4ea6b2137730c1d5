"""Ordering again what did not come true."""

from controller.commands.draft import Request
from controller.commands.model import RETRYABLE, Actor, Status
from controller.commands.progress import CommandProgress
from controller.commands.refusal import Refusal
from controller.commands.view import may_retry
from shared.errors import Denied


def retried(progress: CommandProgress, actor: Actor) -> Request:
    """A new request for the contradicted and unknown orders of an ended command.

    Restarts and reboots are left out, because a second one does more than the first. No state is expected: what the
    sender saw then is what turned out wrong.
    """
    if progress.status is not Status.ENDED:
        detail = f"{progress.command_id} is {progress.status}; only an ended command can be retried"
        raise Denied(Refusal.NOT_ENDED, detail)
    failed = [order for order in progress.orders if order.state in RETRYABLE]
    if not failed:
        detail = f"nothing in {progress.command_id} was contradicted or stayed unknown"
        raise Denied(Refusal.NOTHING_TO_RETRY, detail)
    again = tuple((order.device_id, order.action, None) for order in failed if may_retry(order) and order.action)
    if not again:
        verbs = ", ".join(sorted({order.verb for order in failed}))
        raise Denied(Refusal.NOT_REPEATABLE, f"{verbs} is not repeated by us; look at the device and order anew")
    return Request(
        site=progress.site,
        orders=again,
        reason=f"retry: {progress.reason}",
        actor=actor,
        expires_in_s=progress.expires_in_s,
        retry_of=progress.command_id,
    )
