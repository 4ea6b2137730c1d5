"""Ids of what the treasury's desk refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class TreasuryRefusal(StrEnum):
    BOX_UNHEARD = "treasury.box-unheard"
    NO_ADDRESS = "treasury.no-address"
    NO_SHARES = "treasury.no-shares"
    NOTHING_DUE = "treasury.nothing-due"
    NO_WORKERS = "treasury.no-workers"
    NOT_REGISTERED = "treasury.not-registered"
    PERSON_NEEDED = "treasury.person-needed"
