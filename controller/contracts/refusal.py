"""Ids of what contracts refuse; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class Refusal(StrEnum):
    # a template's parameters
    BAD_NAME = "template.bad-name"
    BAD_FIELD = "template.bad-field"
    NO_SUCH_PARTY = "template.no-such-party"
    SHARED_KEY = "template.shared-key"
    BAD_QUORUM = "template.bad-quorum"
    ONE_PERSON = "template.one-person"
    BAD_LOCK = "template.bad-lock"
    LOCK_ORDER = "template.lock-order"
    BAD_LIMITS = "template.bad-limits"
    BAD_DESTINATION = "template.bad-destination"
    BAD_SHARES = "template.bad-shares"
    BAD_COLLATERAL = "template.bad-collateral"
    BAD_ORACLE = "template.bad-oracle"
    TOO_MANY_OUTCOMES = "template.too-many-outcomes"
    # what a script says, whoever wrote it
    INSANE = "template.insane"
    FOREIGN_KEY = "template.foreign-key"
    UNUSED_KEY = "template.unused-key"
    HASH_LOCK = "template.hash-lock"
    TIME_LOCK = "template.time-lock"
    TOO_MANY_PATHS = "template.too-many-paths"
    # life
    EXISTS = "contract.exists"
    UNKNOWN = "contract.unknown"
    WRONG_PHASE = "contract.wrong-phase"
    REASON_MISSING = "contract.reason-missing"
    NOT_OWNER = "contract.not-owner"
    APPROVED_ALREADY = "contract.approved-already"
    OTHER_POLICY = "contract.other-policy"
    NOTHING_CHANGED = "contract.nothing-changed"
    POLICY_VERSION = "contract.policy-version"
    POLICY_SEALED = "contract.policy-sealed"
    UNKNOWN_BOX = "contract.unknown-box"
    UNDELIVERED = "contract.undelivered"
    NO_SUCH_COIN = "contract.no-such-coin"
    NOT_EMPTY = "contract.not-empty"
    # executions
    WEIGHT_BUDGET = "budget.weight"
    FEE_BUDGET = "budget.fee"
