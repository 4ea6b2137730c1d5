"""What the ledger answers when a signed document comes."""

from enum import Enum

import msgspec


class Standing(Enum):
    """What the ledger knows of a document that somebody signed."""

    NEW = "new"
    REPEATED = "repeated"  # this very one was taken before
    USED = "used"  # another one has its counter, or a newer plan holds


class Admission(msgspec.Struct, frozen=True):
    """`refused` is the rule by which a repeated command was refused then. `overtaken` are the positions of orders about
    something that a command with a higher counter has ordered already.
    """

    standing: Standing
    refused: str = ""
    overtaken: frozenset[int] = frozenset()
