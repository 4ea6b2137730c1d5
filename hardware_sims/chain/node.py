"""The node: chain and mempool in step with each other, and what people do with them."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import msgspec

from hardware_sims.chain.acceptance import ALONE, IN_PACKAGE, RETURNING, Accepted, Gate, Terms, check_fee
from hardware_sims.chain.chain import Chain, Change
from hardware_sims.chain.coins import Coin
from hardware_sims.chain.mempool import Entry, Mempool
from hardware_sims.chain.mining import Template, mined
from hardware_sims.chain.refusal import PackageRefused, TransactionRefused
from hardware_sims.chain.scripts import ScriptJudge
from hardware_sims.chain.selection import chosen
from hardware_sims.chain.store import ChainLog
from shared.bitcoin.block import Block
from shared.bitcoin.transaction import OutPoint, Transaction
from shared.errors import Corrupt

_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Without `folder` all is forgotten at the end. `estimate_sat_vb` is what fee estimates answer; a regtest node
    knows none by itself.
    """

    folder: Path | None = None
    estimate_sat_vb: int | None = None
    clock: Callable[[], float] = time.time


class ChainNode:
    """Blocks survive the process; the mempool is written at `close`, as Bitcoin Core does it."""

    def __init__(self, options: NodeOptions | None = None) -> None:
        self.options = options or NodeOptions()
        folder = self.options.folder
        self.chain = Chain(ChainLog(folder / "chain.log" if folder else None))
        self.mempool = Mempool()
        self._started_s = self._now_s()
        self._gate = Gate(self.chain, self.mempool, ScriptJudge())
        self._mempool_file = folder / "mempool.msgpack" if folder else None
        self._caught_up = False
        self._read_mempool()

    @property
    def up_s(self) -> int:
        return self._now_s() - self._started_s

    @property
    def catching_up(self) -> bool:
        """Until the tip was once less than a day old."""
        tip_s = self.chain.tip.block.header.time_s
        self._caught_up = self._caught_up or tip_s > self._now_s() - _DAY_S
        return not self._caught_up

    def accept(self, tx: Transaction) -> Entry:
        """Take a transaction into the mempool, or TransactionRefused."""
        accepted = self._gate.check(tx, self._now_s())
        self._gate.judge(accepted)
        return self._enter(accepted)

    def test(self, transactions: Sequence[Transaction]) -> dict[str, Entry | TransactionRefused]:
        """What `accept` would say to each after those before it, by wtxid; ends with the first refusal, which is all
        that is told where it is not about scripts. Nothing stays.
        """
        terms = ALONE if len(transactions) == 1 else Terms(may_replace=False)
        checked: list[Accepted] = []
        found: dict[str, Entry | TransactionRefused] = {}
        tx = transactions[0]
        try:
            for tx in transactions:
                checked.append(self._gate.check(tx, self._now_s(), terms))
                if len(transactions) > 1:
                    self._enter(checked[-1])
            for accepted in checked:
                tx = accepted.entry.tx
                self._gate.judge(accepted)
                found[tx.wtxid] = accepted.entry
        except TransactionRefused as refusal:
            found[tx.wtxid] = refusal
        if len(transactions) > 1:
            self.mempool.remove([accepted.entry.txid for accepted in reversed(checked)])
        return found

    def accept_together(self, transactions: Sequence[Transaction]) -> tuple[Entry, ...]:
        """Take parents and their child in at the rate that they pay together, all or none. PackageRefused names the one
        at fault.
        """
        entered: list[Entry] = []
        tx = transactions[-1]
        try:
            for tx in transactions:
                accepted = self._gate.check(tx, self._now_s(), IN_PACKAGE)
                entered.append(self._enter(accepted))
            check_fee(sum(one.fee_sat for one in entered), sum(one.vsize_vb for one in entered))
            for entry in entered:
                tx = entry.tx
                self._gate.judge(Accepted(entry, frozenset()))
        except TransactionRefused as refusal:
            self.mempool.remove([one.txid for one in reversed(entered)])
            raise PackageRefused(tx.wtxid, refusal) from refusal
        return tuple(entered)

    def coin(self, outpoint: OutPoint, *, with_mempool: bool) -> Coin | None:
        """An unspent output, of the mempool too and not spent there, if so wanted."""
        if with_mempool:
            if self.mempool.spender(outpoint) is not None:
                return None
            if (waiting := self.mempool.coin(outpoint, self.chain.height + 1)) is not None:
                return waiting
        return self.chain.coins.get(outpoint)

    def generate(self, count: int, reward_script: bytes) -> tuple[str, ...]:
        """Mine blocks of what waits; their hashes."""
        hashes = []
        for _ in range(count):
            entries = chosen(self.mempool)
            block = self._mine(reward_script, [one.tx for one in entries], sum(one.fee_sat for one in entries))
            self._follow(self.chain.submit(block))
            hashes.append(block.hash)
        return tuple(hashes)

    def generate_of(self, reward_script: bytes, transactions: Sequence[Transaction]) -> Block:
        """Mine one block of exactly these transactions without their fees. BlockRefused where they make none."""
        block = self._mine(reward_script, transactions, 0)
        self._follow(self.chain.submit(block))
        return block

    def submit(self, block: Block) -> None:
        """Take somebody else's block, or BlockRefused."""
        self._follow(self.chain.submit(block))

    def invalidate(self, block_hash: str) -> None:
        """Leave a block and all above it for the best branch without them."""
        self._follow(self.chain.invalidate(block_hash))

    def reconsider(self, block_hash: str) -> None:
        self._follow(self.chain.reconsider(block_hash))

    def close(self) -> None:
        if self._mempool_file is not None:
            fresh = self._mempool_file.with_suffix(".new")
            fresh.write_bytes(msgspec.msgpack.encode([entry.tx.raw for entry in self.mempool]))
            fresh.replace(self._mempool_file)
        self.chain.close()

    def _now_s(self) -> int:
        return int(self.options.clock())

    def _mine(self, reward_script: bytes, transactions: Sequence[Transaction], fees_sat: int) -> Block:
        tip = self.chain.tip
        template = Template(
            previous=tip.block.hash,
            height=tip.height + 1,
            time_s=max(self._now_s(), self.chain.median_time_of(tip) + 1),
            reward_script=reward_script,
            salt=secrets.token_bytes(8),
        )
        return mined(template, transactions, fees_sat)

    def _enter(self, accepted: Accepted) -> Entry:
        self.mempool.remove(accepted.replaced)
        self.mempool.add(accepted.entry)
        return accepted.entry

    def _follow(self, change: Change) -> None:
        """Bring the mempool in step with a chain that moved."""
        for block in change.connected:
            self.mempool.remove(tx.txid for tx in block.transactions)
            for tx in block.transactions[1:]:
                self.mempool.remove(self.mempool.descendants(self.mempool.conflicts(tx)))
        if change.disconnected:
            returned = [tx for block in reversed(change.disconnected) for tx in block.transactions[1:]]
            waiting = self.mempool.remove([entry.txid for entry in self.mempool])
            self._return(returned)
            self._return([entry.tx for entry in waiting], {entry.txid: entry for entry in waiting})

    def _return(self, transactions: Iterable[Transaction], known: Mapping[str, Entry] = MappingProxyType({})) -> None:
        """Take in again whatever still holds in this chain; `known` were here before and keep when they came."""
        for tx in transactions:
            try:
                accepted = self._gate.check(tx, self._now_s(), RETURNING)
                self._gate.judge(accepted)
            except TransactionRefused:
                continue
            before = known.get(tx.txid)
            if before is not None:
                entry = replace(accepted.entry, time_s=before.time_s, height=before.height)
                accepted = Accepted(entry, accepted.replaced)
            self._enter(accepted)

    def _read_mempool(self) -> None:
        file = self._mempool_file
        if file is None or not file.exists():
            return
        try:
            raws = msgspec.msgpack.decode(file.read_bytes(), type=list[bytes])
        except msgspec.MsgspecError as error:
            raise Corrupt(f"{file}: {error}; move it away to start without waiting transactions") from error
        file.unlink()
        self._return(Transaction.parse(raw) for raw in raws)
