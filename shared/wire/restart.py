"""The word of a box's owners after it lost rows of its ledger. People read it where they sign it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.wire.bound import Counter
from shared.wire.contract import Name
from shared.wire.version import WIRE_VERSION

RESTART_DOMAIN = b"bes/restart/v1"


class LedgerRestart(msgspec.Struct, array_like=True, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owners' word after a box lost rows of its ledger: from now on `head` at `seq` counts for it. Sealed by them
    under RESTART_DOMAIN; each `ceremony` counts once.
    """

    version: int = WIRE_VERSION
    ceremony: Annotated[str, Meta(pattern="^[0-9a-z-]{8,64}$")]
    box_id: Name
    seq: Counter
    head: Annotated[bytes, Meta(min_length=32, max_length=32)]
