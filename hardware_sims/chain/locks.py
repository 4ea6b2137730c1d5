"""When a transaction may enter the next block: nLockTime (BIP-65, BIP-113) and relative locks (BIP-68)."""

from collections.abc import Sequence
from typing import Protocol

from shared.bitcoin.transaction import SEQUENCE_FINAL, Transaction

_FIRST_TIME_LOCK = 500_000_000
_NO_RELATIVE_LOCK = 1 << 31
_LOCK_IN_TIME = 1 << 22
_LOCK_MASK = 0xFFFF
_LOCK_UNIT_SHIFT = 9  # units of 512 s
_FIRST_VERSION = 2


class Heights(Protocol):
    """The best chain as far as locks look at it."""

    @property
    def height(self) -> int: ...
    def median_time_s(self, height: int) -> int: ...


def is_final(tx: Transaction, chain: Heights) -> bool:
    """Whether nLockTime lets it into the block after the tip."""
    now = chain.height + 1 if tx.lock_time < _FIRST_TIME_LOCK else chain.median_time_s(chain.height)
    return tx.lock_time < now or all(one.sequence == SEQUENCE_FINAL for one in tx.inputs)


def relative_locks_met(tx: Transaction, coin_heights: Sequence[int], chain: Heights) -> bool:
    """Whether every input is old enough; `coin_heights` in the order of inputs, the next height for the mempool's."""
    if tx.version < _FIRST_VERSION:
        return True
    now_s = chain.median_time_s(chain.height)
    for one, coin_height in zip(tx.inputs, coin_heights, strict=True):
        if one.sequence & _NO_RELATIVE_LOCK:
            continue
        length = one.sequence & _LOCK_MASK
        if one.sequence & _LOCK_IN_TIME:
            if chain.median_time_s(max(coin_height - 1, 0)) + (length << _LOCK_UNIT_SHIFT) > now_s:
                return False
        elif coin_height + length > chain.height + 1:
            return False
    return True
