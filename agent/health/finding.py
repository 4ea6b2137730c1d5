"""What the doctor says."""

from enum import Enum

import msgspec


class Grade(Enum):
    GOOD = "good"
    WEAK = "weak"
    BAD = "bad"


class Finding(msgspec.Struct, frozen=True):
    """`mend` is what a person should do; empty where all is well."""

    check: str
    grade: Grade
    found: str
    mend: str = ""
