"""A chain in memory, and a clock that is set by hand."""

import hashlib

from controller.signing.model import ChainPoint, Coin
from controller.signing.ownership import derived_at
from controller.signing.ports import Acceptance, Contract
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.errors import GatewayRefused, GatewayUnavailable
from tests.controller.signing.money import (
    PAYEE,
)


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class FakeChain:
    """Blocks are numbers; the mempool takes what spends unspent outputs and replaces at a higher fee."""

    def __init__(self, height: int = 200) -> None:
        self.height = height
        self.fork = 0
        self.known: dict[str, Coin] = {}
        self.mempool: dict[str, Transaction] = {}
        self.mined: dict[str, tuple[ChainPoint, Transaction]] = {}
        self.broadcasts: list[str] = []
        self.estimate: int | None = 5_000
        self.down = False
        self.refuses = ""

    def fund(self, contract: Contract, amount_sat: int, number: int = 0, *, height: int = 100, branch: int = 0) -> Coin:
        script = derived_at(contract, (branch, number)).script
        source = hashlib.sha256(f"{contract.contract_id}{branch}{number}{amount_sat}".encode()).hexdigest()
        previous = Transaction(2, (TxIn(OutPoint(source, 0)),), (TxOut(1, PAYEE), TxOut(amount_sat, script)), 0)
        coin = Coin(
            txid=previous.txid,
            vout=1,
            amount_sat=amount_sat,
            script=script,
            branch=branch,
            index=number,
            height=height,
            previous_tx=previous.raw,
        )
        self.known[f"{coin.txid}:1"] = coin
        return coin

    def mine(self, *txids: str, blocks: int = 1) -> None:
        self.height += 1
        for txid in txids or tuple(self.mempool):
            self.mined[txid] = (self._point(self.height), self.mempool.pop(txid))
        spent = {str(entry.outpoint) for _, tx in self.mined.values() for entry in tx.inputs}
        self.mempool = {
            txid: tx for txid, tx in self.mempool.items() if not any(str(e.outpoint) in spent for e in tx.inputs)
        }
        self.height += blocks - 1

    def reorganise(self, blocks: int) -> None:
        """The last blocks are exchanged for as many others without our transactions, which the node forgets."""
        self.fork += 1
        self.mined = {t: found for t, found in self.mined.items() if found[0].height <= self.height - blocks}

    async def tip(self) -> ChainPoint:
        self._check()
        return self._point(self.height)

    async def coins(self, contract: Contract) -> list[Coin]:
        self._check()
        spent = {str(entry.outpoint) for tx in self._all() for entry in tx.inputs}
        mine = {derived_at(contract, (coin.branch, coin.index)).script for coin in self.known.values()}
        return [coin for key, coin in self.known.items() if key not in spent and coin.script in mine]

    async def next_change_index(self, contract: Contract) -> int:
        return 0

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None:
        return self.estimate

    async def least_rate_sat_kvb(self) -> int:
        return 1_000

    async def test_accept(self, raw: bytes) -> Acceptance:
        self._check()
        tx = Transaction.parse(raw)
        if self.refuses:
            return Acceptance(False, self.refuses)
        if tx.txid in self.mempool or tx.txid in self.mined:
            return Acceptance(False, "txn-already-in-mempool")
        spent = {str(entry.outpoint) for _, mined in self.mined.values() for entry in mined.inputs}
        if any(str(entry.outpoint) in spent for entry in tx.inputs):
            return Acceptance(False, "missing-inputs")
        return Acceptance(True)

    async def broadcast(self, raw: bytes) -> None:
        self._check()
        tx = Transaction.parse(raw)
        told = await self.test_accept(raw)
        self.broadcasts.append(tx.wtxid)
        if not told.allowed and "already" not in told.reason:
            raise GatewayRefused(told.reason)
        mine = {str(entry.outpoint) for entry in tx.inputs}
        self.mempool = {t: o for t, o in self.mempool.items() if not mine & {str(e.outpoint) for e in o.inputs}}
        if tx.txid not in self.mined:
            self.mempool[tx.txid] = tx

    async def holds(self, txid: str, vout: int) -> bool:
        self._check()
        mined = [tx for _, tx in self.mined.values()]
        made = f"{txid}:{vout}" in self.known or any(tx.txid == txid for tx in mined)
        return made and all(str(entry.outpoint) != f"{txid}:{vout}" for tx in mined for entry in tx.inputs)

    async def block_of(self, txid: str) -> ChainPoint | None:
        self._check()
        found = self.mined.get(txid)
        return found[0] if found else None

    def _all(self) -> list[Transaction]:
        return [*self.mempool.values(), *(tx for _, tx in self.mined.values())]

    def _point(self, height: int) -> ChainPoint:
        return ChainPoint(height, hashlib.sha256(f"{height}/{self.fork}".encode()).hexdigest())

    def _check(self) -> None:
        if self.down:
            raise GatewayUnavailable("the node is away")
