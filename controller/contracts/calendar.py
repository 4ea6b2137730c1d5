"""When each coin's recovery opens, and which coins to refresh before it does.

A relative lock counts from each coin's own confirmation. A coin that rests longer than the lock can be taken by the
recovery key alone; moving it to a new address of the same contract starts the lock again.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from controller.contracts.cost import Cost, check_budget, cost, earliest_height
from controller.contracts.ports import ContractCoin
from controller.contracts.route import Route
from shared.wire.contract import Limits

WARN_SHARE = 5
"""A coin is due when a fifth of its lock is left, but at least WARN_BLOCKS before it opens."""
WARN_BLOCKS = 288


class Opening(StrEnum):
    UNKNOWN = "unknown"  # the coin is in no block yet
    CLOSED = "closed"
    DUE = "due"  # refresh it now
    OPEN = "open"


class RecoveryDate(msgspec.Struct, frozen=True, kw_only=True):
    """One locked path of one coin. `opens_at_height` is the first block that may hold such a spend."""

    txid: str
    vout: int
    amount_sat: int
    path: str
    opens_at_height: int | None
    blocks_left: int | None
    state: Opening


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """Coins to move together to a new address of their contract, before `before_height`."""

    coins: tuple[ContractCoin, ...]
    cost: Cost
    before_height: int
    amount_sat: int


def calendar(found: Sequence[Route], coins: Iterable[ContractCoin], height: int) -> tuple[RecoveryDate, ...]:
    """Every coin under every path with a relative lock, the most urgent first; unconfirmed coins last."""
    dates = [_date(route, coin, height) for coin in coins for route in found if route.path.older_blocks is not None]
    return tuple(sorted(dates, key=_urgency))


def refreshes(
    found: Sequence[Route],
    coins: Iterable[ContractCoin],
    height: int,
    *,
    script: bytes,
    fee_rate_sat_vb: int,
    limits: Limits,
) -> tuple[Refresh, ...]:
    """Proposals for all coins that are due or open, by the cheapest path that is open to all signers now.

    Each stays within the contract's budgets of weight and fee; Denied `budget.fee` for a fee rate that the contract
    does not allow. `script` is where they move. Coins worth less than their own input
    at this fee rate are left out: moving them would cost more than they hold. Empty where nothing is due, or where no
    path is free of locks.
    """
    free = [
        route for route in found if route.path.older_blocks is None and earliest_height(route.path, 0) <= height + 1
    ]
    if not free:
        return ()
    route = min(free, key=lambda one: one.input_wu)
    opens = _due(found, coins, height)
    worth = [coin for coin in opens if 4 * coin.amount_sat > fee_rate_sat_vb * route.input_wu]
    proposals: list[Refresh] = []
    while worth:
        batch = worth[: _most(route, script, limits, fee_rate_sat_vb)]
        if not batch:
            return ()
        worth = worth[len(batch) :]
        costs = cost(route, len(batch), (script,), (fee_rate_sat_vb,))
        check_budget(costs, costs.fees_sat[fee_rate_sat_vb], limits)
        proposals.append(
            Refresh(
                coins=tuple(batch),
                cost=costs,
                before_height=min(opens[coin] for coin in batch),
                amount_sat=sum(coin.amount_sat for coin in batch),
            )
        )
    return tuple(proposals)


def _due(found: Sequence[Route], coins: Iterable[ContractCoin], height: int) -> dict[ContractCoin, int]:
    """Coins to move and when the first of their locked paths opens, soonest first."""
    opens: dict[ContractCoin, int] = {}
    for coin in coins:
        dates = [_date(route, coin, height) for route in found if route.path.older_blocks is not None]
        if any(date.state in (Opening.DUE, Opening.OPEN) for date in dates):
            opens[coin] = min(date.opens_at_height for date in dates if date.opens_at_height is not None)
    return dict(sorted(opens.items(), key=lambda item: (item[1], item[0].txid, item[0].vout)))


def _most(route: Route, script: bytes, limits: Limits, fee_rate_sat_vb: int) -> int:
    """How many inputs fit into the budgets of weight and fee; their count may take three bytes."""
    alone = cost(route, 0, (script,), ()).weight_wu + 8
    allowed_wu = min(limits.weight_wu, 4 * (limits.fee_sat // fee_rate_sat_vb))
    return max(0, (allowed_wu - alone) // route.input_wu)


def _date(route: Route, coin: ContractCoin, height: int) -> RecoveryDate:
    opens = None if coin.height is None else earliest_height(route.path, coin.height)
    left = None if opens is None else max(0, opens - height - 1)
    return RecoveryDate(
        txid=coin.txid,
        vout=coin.vout,
        amount_sat=coin.amount_sat,
        path=route.path.name,
        opens_at_height=opens,
        blocks_left=left,
        state=_state(left, route.path.older_blocks or 0),
    )


def _state(left: int | None, lock_blocks: int) -> Opening:
    """Of a lock with so many blocks left until the next block may hold the spend."""
    if left is None:
        return Opening.UNKNOWN
    if left == 0:
        return Opening.OPEN
    return Opening.DUE if left <= max(WARN_BLOCKS, lock_blocks // WARN_SHARE) else Opening.CLOSED


def _urgency(date: RecoveryDate) -> tuple[bool, int, str, int]:
    return date.opens_at_height is None, date.opens_at_height or 0, date.txid, date.vout
