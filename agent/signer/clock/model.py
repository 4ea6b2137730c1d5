"""Time as the chain tells it."""

from typing import NamedTuple


class ChainTime(NamedTuple):
    """Height of the best chain's tip and its median time past (BIP-113) in seconds since 1970."""

    height: int
    mtp_s: int
