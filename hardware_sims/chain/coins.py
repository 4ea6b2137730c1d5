"""The unspent outputs of a chain, by outpoint and by script, and how to take a block back."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from shared.bitcoin.block import Block
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut

_OP_RETURN = 0x6A
_LONGEST_SCRIPT_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Coin:
    """`height` is that of its block; coins of the mempool carry the height of the next one."""

    output: TxOut
    height: int
    coinbase: bool


class CoinSet:
    def __init__(self) -> None:
        self._coins: dict[OutPoint, Coin] = {}
        self._by_script: defaultdict[bytes, set[OutPoint]] = defaultdict(set)
        self._spent: dict[str, list[tuple[OutPoint, Coin]]] = {}

    def __len__(self) -> int:
        return len(self._coins)

    def get(self, outpoint: OutPoint) -> Coin | None:
        return self._coins.get(outpoint)

    def of_script(self, script: bytes) -> frozenset[OutPoint]:
        return frozenset(self._by_script.get(script, ()))

    def connect(self, block: Block, height: int) -> None:
        """The consensus engine has accepted the block, so every input is there."""
        spent: list[tuple[OutPoint, Coin]] = []
        for position, tx in enumerate(block.transactions):
            if position:
                spent += [(one.outpoint, self._take(one.outpoint)) for one in tx.inputs]
            for outpoint, output in outputs(tx):
                self._put(outpoint, Coin(output, height, coinbase=position == 0))
        self._spent[block.hash] = spent

    def disconnect(self, block: Block) -> None:
        """Take back the block that was connected last."""
        returned = self._spent.pop(block.hash)
        for tx in reversed(block.transactions):
            for outpoint, _ in outputs(tx):
                # Spent within its own block, an output is no longer there: `returned` holds it as well.
                if outpoint in self._coins:
                    self._take(outpoint)
        made = {tx.txid for tx in block.transactions}
        for outpoint, coin in returned:
            if outpoint.txid not in made:
                self._put(outpoint, coin)

    def spent_by(self, block: Block) -> Iterable[tuple[OutPoint, Coin]]:
        """What the transactions of a connected block spent, in their order."""
        return self._spent[block.hash]

    def _put(self, outpoint: OutPoint, coin: Coin) -> None:
        self._coins[outpoint] = coin
        self._by_script[coin.output.script].add(outpoint)

    def _take(self, outpoint: OutPoint) -> Coin:
        coin = self._coins.pop(outpoint)
        same = self._by_script[coin.output.script]
        same.discard(outpoint)
        if not same:
            del self._by_script[coin.output.script]
        return coin


def outputs(tx: Transaction) -> Iterable[tuple[OutPoint, TxOut]]:
    """The outputs that somebody may be able to spend."""
    for vout, output in enumerate(tx.outputs):
        if output.script[:1] != bytes((_OP_RETURN,)) and len(output.script) <= _LONGEST_SCRIPT_BYTES:
            yield OutPoint(tx.txid, vout), output
