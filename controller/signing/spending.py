"""From a wish to an unsigned transaction: coins, change, fee, sequences and lock time."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

import msgspec

from controller.signing.approval import path_of
from controller.signing.fee import fee_sat, rate_sat_kvb, transaction_wu
from controller.signing.model import Coin, OutPointKey, Payment
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from controller.signing.selection import Selection, Shape, input_wu, select
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor import Derived, Descriptor
from shared.bitcoin.network import Network
from shared.bitcoin.script import dust_sat
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import ContractError, Denied
from shared.wire.contract import SpendingPath

COINBASE_DEPTH = 100  # consensus: a block reward is spent at the earliest in the hundredth block after its own
LONG_TERM_SAT_KVB = 10_000
"""The rate at which change is taken to be spent some day, as in Bitcoin Core."""
_REPLACEABLE = 0xFFFF_FFFD  # BIP-125; also what lets the lock time count
_VERSION = 2


class SpendingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to pay. `coins` must be spent whatever else is; without payments they go back to the
    contract's change branch (a refresh or consolidation). A rate of None is the node's estimate for `target_blocks`.
    """

    contract_id: str
    path: str
    payments: tuple[Payment, ...]
    reason: str
    fee_rate_sat_kvb: int | None = None
    target_blocks: int = 6
    expiry_blocks: int = 144
    coins: tuple[OutPointKey, ...] = ()


class Draft(NamedTuple):
    """An unsigned transaction and what it is made of. `change_place` is the change's output, None without change."""

    tx: Transaction
    coins: tuple[Coin, ...]
    selection: Selection
    change_place: int | None
    change_index: int


class Terms(NamedTuple):
    """Under which a draft is made: the path, the height of the tip, the rate, and where change goes."""

    contract: Contract
    path: SpendingPath
    height: int
    rate_sat_kvb: int
    change_index: int


@lru_cache(maxsize=256)
def descriptor_of(text: str, network: str) -> Descriptor:
    """A contract's descriptor; parsing takes two implementations and is done once."""
    return Descriptor.parse(text, Network(network))


def drafted(
    terms: Terms, payments: Sequence[Payment], free: Iterable[Coin], required: Sequence[Coin], random: Random
) -> Draft:
    """Choose coins and lay out the transaction; Denied by name where it cannot be."""
    outputs = [paid(terms.contract, payment) for payment in payments]
    shape = shape_of(terms, outputs)
    ripe = [coin for coin in free if is_ripe(coin, terms)]
    selection = select(ripe, shape, random, required) if outputs else swept(required, shape)
    return laid_out(terms, outputs, selection, random)


def shape_of(terms: Terms, outputs: Sequence[TxOut]) -> Shape:
    contract = terms.contract
    change = change_script(contract, terms.change_index)
    return Shape(
        scripts=tuple(output.script for output in outputs),
        amount_sat=sum(output.amount_sat for output in outputs),
        input_wu=input_wu(contract.witness_wu[terms.path.name]),
        change_script=change,
        change_dust_sat=dust_sat(change),
        rate_sat_kvb=terms.rate_sat_kvb,
        long_term_sat_kvb=LONG_TERM_SAT_KVB,
    )


def swept(coins: Sequence[Coin], shape: Shape) -> Selection:
    """All of these coins into one change output."""
    total_sat, weight_wu = sum(coin.amount_sat for coin in coins), shape.weight_wu(len(coins), change=True)
    fee = fee_sat(weight_wu, shape.rate_sat_kvb)
    if total_sat - fee < shape.change_dust_sat:
        raise Denied(SigningRefusal.INSUFFICIENT, f"{total_sat} sat do not pay a fee of {fee} sat and a spendable rest")
    return Selection(tuple(coins), total_sat - fee, fee, weight_wu, 0)


def laid_out(terms: Terms, outputs: Sequence[TxOut], selection: Selection, random: Random) -> Draft:
    """The change stands at a random place, so that nobody outside can tell it by its place."""
    placed, change_place = list(outputs), None
    if selection.change_sat:
        change_place = random.randrange(len(placed) + 1)
        change = TxOut(selection.change_sat, change_script(terms.contract, terms.change_index))
        placed.insert(change_place, change)
    sequence = sequence_of(terms.path)
    inputs = tuple(TxIn(OutPoint(*coin.outpoint), sequence=sequence) for coin in selection.coins)
    tx = Transaction(_VERSION, inputs, tuple(placed), lock_time_of(terms))
    return Draft(tx, selection.coins, selection, change_place, terms.change_index)


def sequence_of(path: SpendingPath) -> int:
    """The path's relative lock, or what signals replacement."""
    return path.older_blocks or _REPLACEABLE


def lock_time_of(terms: Terms) -> int:
    """The tip, so that mining the block before again gains nobody (anti fee sniping); at least what the path asks."""
    after = terms.path.after_height or 0
    return max(after, terms.height)


def is_ripe(coin: Coin, terms: Terms) -> bool:
    """May the next block hold a spending of it by this path? Unconfirmed coins are not taken unasked."""
    if coin.height is None:
        return False
    next_height = terms.height + 1
    if coin.coinbase and next_height - coin.height < COINBASE_DEPTH:
        return False
    return next_height - coin.height >= (terms.path.older_blocks or 0)


def check_ripe(coins: Iterable[Coin], terms: Terms) -> None:
    """Denied where a coin that must be spent cannot be yet, or the path is not open."""
    after = terms.path.after_height
    if after is not None and terms.height < after:
        detail = f"path {terms.path.name!r} opens at height {after}; it is {terms.height} now"
        raise Denied(SigningRefusal.IMMATURE, detail)
    for coin in coins:
        if not is_ripe(coin, terms):
            raise Denied(
                SigningRefusal.IMMATURE,
                f"{coin.txid}:{coin.vout} is of height {coin.height}; by path {terms.path.name!r} it cannot be in "
                f"block {terms.height + 1}",
            )


def paid(contract: Contract, payment: Payment) -> TxOut:
    """The output of a payment; Denied for a wrong address or an amount that no node relays."""
    try:
        script = script_of(payment.address, Network(contract.terms.network))
    except ContractError as error:
        raise Denied(SigningRefusal.BAD_ADDRESS, error.detail) from error
    least_sat = dust_sat(script)
    if payment.amount_sat < least_sat:
        detail = f"{payment.amount_sat} sat to {payment.address}; below {least_sat} sat nodes take it for dust"
        raise Denied(SigningRefusal.DUST, detail)
    return TxOut(payment.amount_sat, script)


def change_script(contract: Contract, index: int) -> bytes:
    """Where change of this index goes: derived, never told."""
    return derived_change(contract, index).script


def derived_change(contract: Contract, index: int) -> Derived:
    descriptor = descriptor_of(contract.terms.descriptor, contract.terms.network)
    return descriptor.derive(descriptor.change_branch, index)


def fallbacks_of(contract: Contract, path: SpendingPath, draft: Draft, least_sat_kvb: int) -> tuple[str, ...]:
    """Other paths by which the very same transaction may be signed where boxes of `path` stay away.

    They ask for no other lock, are of the same role, and their heavier witness still pays what nodes relay. Approvals
    are bound to the txid, which a witness does not change, so they hold for these paths too.
    """
    scripts = [output.script for output in draft.tx.outputs]
    found: list[tuple[int, str]] = []
    for other in contract.terms.paths:
        same_locks = (other.older_blocks, other.after_height) == (path.older_blocks, path.after_height)
        if other.name == path.name or other.role != path.role or not same_locks or is_musig(contract, other):
            continue
        weight_wu = transaction_wu(len(draft.coins), contract.witness_wu[other.name], scripts)
        if rate_sat_kvb(draft.selection.fee_sat, weight_wu) >= least_sat_kvb:
            found.append((weight_wu, other.name))
    return tuple(name for _, name in sorted(found))


def coins_by_outpoint(coins: Iterable[Coin]) -> Mapping[OutPointKey, Coin]:
    return {coin.outpoint: coin for coin in coins}


def spending_path(contract: Contract, name: str) -> SpendingPath:
    """The path, where its witness weight is known; Denied otherwise."""
    path = path_of(contract, name)
    if name not in contract.witness_wu:
        raise Denied(SigningRefusal.UNKNOWN_PATH, f"path {name!r} has no known witness weight; it cannot be paid for")
    return path
