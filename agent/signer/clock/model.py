"""Time as the chain tells it."""

from typing import NamedTuple

import msgspec


class ChainTime(NamedTuple):
    """Height of the best chain's tip and its median time past (BIP-113) in seconds since 1970."""

    height: int
    mtp_s: int


class Checkpoint(msgspec.Struct, frozen=True):
    """A block that the chain must contain, told to the box when it was set up. `block_hash` in hex, display order."""

    height: int
    block_hash: str


class Taken(NamedTuple):
    """Headers that were new and valid, and why the first one that was not taken was refused; empty where all fit."""

    accepted: int
    refused: str = ""
