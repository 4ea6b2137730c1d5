"""Ids of what a forward's line refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class ForwardRefusal(StrEnum):
    NO_FORWARD = "forward.no-forward"
    EXISTS = "forward.exists"
    UNKNOWN = "forward.unknown"
    WRONG_PHASE = "forward.wrong-phase"
    NOT_THEIRS = "forward.not-theirs"
    OTHER_TERMS = "forward.other-terms"
    NOT_OWNER = "forward.not-owner"
    BAD_APPROVAL = "forward.bad-approval"
