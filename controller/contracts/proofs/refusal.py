"""Ids of why a claim is not kept; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class ProofRefusal(StrEnum):
    FOREIGN_NODE = "claim.foreign-node"
    KNOWN = "claim.known"
    NOT_SOUND = "claim.not-sound"
    UNKNOWN = "claim.unknown"
