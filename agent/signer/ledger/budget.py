"""How much a contract has spent, and whether it may spend more.

A debit leaves the window only when height, median time past and, within one boot, the monotonic clock have all advanced
by the window: the smallest of the three elapsed times counts. Debits leave in their order, so the sum of a window is
the difference of two running sums and costs the same however many debits there are.
"""

import sqlite3
from typing import NamedTuple

from agent.signer.ledger import entry_table as table
from agent.signer.ledger.model import Entry, EntryKind, Spend, Spent
from shared.errors import Denied
from shared.wire.contract import Limits

BLOCK_S = 600


class Now(NamedTuple):
    """The present on the three clocks."""

    height: int
    mtp_s: int
    boot_id: str
    mono_ns: int


class Budget:
    """Remembers where each window began when it was last asked; only a memory, so a lost transaction may forget it."""

    def __init__(self) -> None:
        self._edges: dict[tuple[str, int], Entry] = {}

    def spent(self, connection: sqlite3.Connection, contract_id: str, window_blocks: int, now: Now) -> Spent:
        newest = table.latest(connection, EntryKind.DEBIT, contract_id)
        if newest is None:
            return Spent(0, 0)
        edge = self._edge(connection, (contract_id, window_blocks), now)
        return Spent(newest.spent_sat - (edge.spent_sat if edge else 0), newest.spent_sat)

    def require(self, connection: sqlite3.Connection, spend: Spend, debit_sat: int, limits: Limits, now: Now) -> Spent:
        """What was spent before; Denied with `limit.tx`, `limit.window` or `limit.lifetime` where `debit_sat` is too
        much.
        """
        if spend.total_sat > limits.per_tx_sat:
            raise Denied("limit.tx", f"the transaction spends {spend.total_sat} sat; one may spend {limits.per_tx_sat}")
        spent = self.spent(connection, spend.contract_id, limits.window_blocks, now)
        if spent.window_sat + debit_sat > limits.window_sat:
            raise Denied(
                "limit.window",
                f"{debit_sat} sat more than the {spent.window_sat} spent within {limits.window_blocks} blocks; "
                f"together they may be {limits.window_sat}",
            )
        if spent.lifetime_sat + debit_sat > limits.lifetime_sat:
            raise Denied(
                "limit.lifetime",
                f"{debit_sat} sat more than the {spent.lifetime_sat} ever spent; "
                f"together they may be {limits.lifetime_sat}",
            )
        return spent

    def _edge(self, connection: sqlite3.Connection, key: tuple[str, int], now: Now) -> Entry | None:
        """The last debit that has left the window."""
        contract_id, window_blocks = key
        edge = self._edges.get(key)
        if edge is not None and table.at(connection, edge.seq) != edge:
            edge = None
        for entry in table.of_kind(connection, EntryKind.DEBIT, contract_id, edge.seq if edge else 0):
            if not _has_left(entry, window_blocks, now):
                break
            edge = entry
        if edge is not None:
            self._edges[key] = edge
        return edge


def _has_left(entry: Entry, window_blocks: int, now: Now) -> bool:
    window_s = window_blocks * BLOCK_S
    return (
        now.height - entry.height >= window_blocks
        and now.mtp_s - entry.mtp_s >= window_s
        and (now.boot_id != entry.boot_id or now.mono_ns - entry.mono_ns >= window_s * 1_000_000_000)
    )
