"""Ids of what the power door refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class Refusal(StrEnum):
    # a command as a whole
    EMPTY = "command.empty"
    TOO_MANY_ORDERS = "command.too-many-orders"
    UNKNOWN_SITE = "command.unknown-site"
    REASON_MISSING = "command.reason-missing"
    BAD_EXPIRY = "command.bad-expiry"
    DUPLICATE_ORDER = "command.duplicate-order"
    # one of its orders
    UNKNOWN_DEVICE = "command.unknown-device"
    UNSUPPORTED_VERB = "command.unsupported-verb"
    LIMIT_OUT_OF_RANGE = "command.limit-out-of-range"
    UNKNOWN_MODE = "command.unknown-mode"
    BAD_POOLS = "command.bad-pools"
    POOL_NOT_ALLOWED = "command.pool-not-allowed"
    BAD_OUTLET = "command.bad-outlet"
    # who may
    NOT_CONFIRMED = "command.not-confirmed"
    PROGRAM_VERB = "command.program-verb"
    SECOND_PERSON_MISSING = "command.second-person-missing"
    SECOND_PERSON_SAME = "command.second-person-same"
    SECOND_PERSON_PROGRAM = "command.second-person-program"
    # flow
    EXPIRED_PREVIEW = "command.expired-preview"
    UNKNOWN_COMMAND = "command.unknown-command"
    NOT_PENDING = "command.not-pending"
    REJECTED = "command.rejected"
    NOT_ENDED = "command.not-ended"
    NOTHING_TO_RETRY = "command.nothing-to-retry"
    NOT_REPEATABLE = "command.not-repeatable"
    NOT_HELD = "command.not-held"
    # endings that nobody wanted
    UNDELIVERED = "command.undelivered"
    SILENT = "command.silent"
    # site plans
    BAD_PLAN = "plan.invalid"
