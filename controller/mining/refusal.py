"""Ids of what curtailment refuses; each has a line in docs/refusals.md and a negative test."""

from enum import StrEnum


class Refusal(StrEnum):
    BELOW_FLOOR = "curtailment.below-floor"
    ENDS_IN_THE_PAST = "curtailment.ends-in-the-past"
    EXISTS = "curtailment.exists"
    METER_UNUSABLE = "curtailment.meter-unusable"
    TARGET_ABOVE_LOAD = "curtailment.target-above-load"
    UNKNOWN_FEEDER = "curtailment.unknown-feeder"
    WRONG_PHASE = "curtailment.wrong-phase"
