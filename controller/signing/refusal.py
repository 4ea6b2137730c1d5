"""Ids of what the money door refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class SigningRefusal(StrEnum):
    # what is asked for
    UNKNOWN_CONTRACT = "spending.unknown-contract"
    UNKNOWN_PATH = "spending.unknown-path"
    EMPTY = "spending.empty"
    REASON_MISSING = "spending.reason-missing"
    BAD_ADDRESS = "spending.bad-address"
    DUST = "spending.dust"
    BAD_EXPIRY = "spending.bad-expiry"
    FEE_RATE_UNKNOWN = "spending.fee-rate-unknown"
    INSUFFICIENT = "coins.insufficient"
    IMMATURE = "coins.immature"
    # replacing and helping
    NOT_REPLACEABLE = "replacement.not-replaceable"
    FEE_TOO_LOW = "replacement.fee-too-low"
    NO_ROOM = "replacement.no-room"
    NOTHING_STUCK = "child.nothing-stuck"
    # the proposer's own word
    PROPOSAL_MISSING = "proposal.missing"
    PROPOSER_UNKNOWN = "proposal.unknown-proposer"
    PROPOSER_RENAMED = "proposal.initiator"
    PROPOSER_OTHER = "proposal.other-person"
    PROPOSED_TWICE = "proposal.duplicate"
    PROPOSAL_ELSEWHERE = "proposal.other-tx"
    PROPOSAL_EXPIRED = "proposal.expired"
    PROPOSAL_POLICY = "proposal.policy-version"
    PROPOSAL_ROLE = "proposal.role"
    # approvals
    APPROVER_UNKNOWN = "approval.unknown-approver"
    APPROVER_PROPOSED = "approval.initiator"
    APPROVER_TWICE = "approval.duplicate"
    APPROVAL_ELSEWHERE = "approval.other-tx"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_POLICY = "approval.policy-version"
    APPROVAL_ROLE = "approval.role"
    # the verdict
    UNLISTED = "verdict.unlisted"
    COOLING = "verdict.cooling"
    TX_LIMIT = "verdict.tx-limit"
    WINDOW_LIMIT = "verdict.window-limit"
    LIFETIME_LIMIT = "verdict.lifetime-limit"
    FEE_LIMIT = "verdict.fee-limit"
    FEE_RATE_LIMIT = "verdict.fee-rate-limit"
    WEIGHT_LIMIT = "verdict.weight-limit"
    # flow
    UNKNOWN_PROPOSAL = "proposal.unknown"
    WRONG_STATUS = "proposal.wrong-status"
    NOBODY_SILENT = "proposal.nobody-silent"
    SUPERSEDED = "proposal.superseded"
    POLICY_CHANGED = "proposal.policy-changed"
    # what boxes answer
    ANSWER_UNASKED = "answer.unasked"
    ANSWER_FOREIGN = "answer.foreign"
    ANSWER_MALFORMED = "answer.malformed"
    ANSWER_ALTERED = "answer.altered"
    ANSWER_SIGNATURE = "answer.signature"
    ANSWER_EMPTY = "answer.empty"
    # executions of many at once
    BASE_MALFORMED = "execution.base-malformed"
    BASE_FOREIGN = "execution.base-foreign"
    FOREIGN_COIN = "execution.foreign-coin"
    APPROVALS_MISSING = "execution.approvals-missing"
    EXECUTED = "execution.repeated"
    COIN_PROPOSED = "execution.proposed"
    # proofs of control
    CONTROL_LOCKED = "control.locked-path"
    CONTROL_MESSAGE = "control.bad-message"
    CONTROL_ADDRESS = "control.bad-address"
    CONTROL_NOT_PROVEN = "control.not-proven"
    # endings that nobody wanted
    NO_QUORUM = "signing.no-quorum"
    JUDGE = "signing.judge"
    CONFLICT = "broadcast.conflict"
