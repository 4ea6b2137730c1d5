"""Locks that a template may ask for, and the scripts of quorums, written once."""

from controller.contracts.refusal import Refusal
from shared.errors import Denied
from shared.wire.contract import HIGHEST_HEIGHT

LONGEST_BLOCKS = 65_535
"""A relative lock has 16 bits (BIP-68): about 455 days."""
MULTI_KEYS = 20


def check_older(blocks: int, what: str) -> None:
    """Denied `template.bad-lock` for a relative lock that Bitcoin cannot express."""
    if not 1 <= blocks <= LONGEST_BLOCKS:
        raise Denied(Refusal.BAD_LOCK, f"{what}: {blocks:,} blocks; a lock counts 1 to {LONGEST_BLOCKS:,} blocks")


def check_deadline(height: int, after_height: int, what: str) -> None:
    """Denied `template.bad-lock` for a height that is none, or that does not lie after the other."""
    if not after_height < height <= HIGHEST_HEIGHT:
        raise Denied(Refusal.BAD_LOCK, f"{what}: height {height:,} has to lie after height {after_height:,}")


def check_order(earlier_blocks: int, later_blocks: int, what: str) -> None:
    """Denied `template.lock-order` where a last resort would open before what it is the last resort of."""
    if later_blocks <= earlier_blocks:
        raise Denied(Refusal.LOCK_ORDER, f"{what}: {later_blocks:,} blocks are not later than {earlier_blocks:,}")


def check_quorum(needed: int, names: tuple[str, ...], what: str) -> None:
    """Denied `template.bad-quorum`."""
    if not 1 <= needed <= len(names) <= MULTI_KEYS or len(set(names)) != len(names):
        raise Denied(Refusal.BAD_QUORUM, f"{what}: {needed} of {len(names)} different keys (of at most 20)")


def multi(needed: int, keys: tuple[str, ...]) -> str:
    return f"multi({needed},{','.join(keys)})"


def multi_a(needed: int, keys: tuple[str, ...]) -> str:
    return f"multi_a({needed},{','.join(keys)})"
