"""A command that waits for its second person."""

from typing import NamedTuple

from controller.commands.draft import Request
from controller.commands.event import CommandRequested
from controller.commands.model import Actor, Status
from controller.commands.progress import CommandProgress
from controller.commands.refusal import Refusal
from shared.errors import Denied


class Pending(NamedTuple):
    progress: CommandProgress
    request: CommandRequested

    @property
    def actor(self) -> Actor:
        """Who asked."""
        return Actor(self.progress.actor, self.request.session, self.request.origin, self.request.sponsor)

    def again(self) -> Request:
        """What was asked for, to be checked as it stands now."""
        return Request(
            site=self.request.site,
            orders=tuple((line.device_id, line.action, line.expected_state) for line in self.request.orders),
            reason=self.request.reason,
            actor=self.actor,
            expires_in_s=self.request.expires_in_s,
            retry_of=self.request.retry_of,
        )


def checked_pending(progress: CommandProgress | None, command_id: str, now_ms: int) -> Pending:
    """The command, if it still can be approved or rejected."""
    if progress is None or progress.request is None:
        raise Denied(Refusal.UNKNOWN_COMMAND, f"there is no command {command_id!r}")
    if progress.status is not Status.PENDING:
        raise Denied(Refusal.NOT_PENDING, f"{command_id} is {progress.status}; nothing waits for approval")
    if progress.approval_until_ms is not None and now_ms > progress.approval_until_ms:
        raise Denied(Refusal.SECOND_PERSON_MISSING, f"{command_id} was not approved in time; order anew")
    return Pending(progress, progress.request)
