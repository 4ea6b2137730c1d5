"""Ids of what the fleet refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class Refusal(StrEnum):
    UNKNOWN_SITE = "fleet.unknown-site"
    SITE_INVALID = "fleet.site-invalid"
    SITE_MISMATCH = "fleet.site-mismatch"
    ALARM_UNKNOWN = "alarm.unknown"
    ALARM_ALREADY_ACKNOWLEDGED = "alarm.already-acknowledged"
    SHELF_REASON_MISSING = "alarm.shelf-reason-missing"
    SHELF_TOO_LONG = "alarm.shelf-too-long"
