"""The tree of blocks, its best branch and the coins on it."""

from collections.abc import Iterator
from dataclasses import dataclass

from hardware_sims.chain.coins import CoinSet
from hardware_sims.chain.engine import Engine, Move, Step
from hardware_sims.chain.refusal import BlockRefused
from hardware_sims.chain.store import ChainLog, Kind
from shared.bitcoin.block import Block
from shared.errors import NotFound

_MEDIAN_OF = 11


@dataclass(frozen=True, slots=True)
class Placed:
    """A block with its height, on the best branch or beside it."""

    block: Block
    height: int


@dataclass(frozen=True, slots=True)
class Change:
    """How the best branch moved: first `disconnected`, tip first, then `connected`, lowest first."""

    disconnected: tuple[Block, ...] = ()
    connected: tuple[Block, ...] = ()


class Chain:
    """Every block is in `log` before anybody hears that it was taken.

    The engine cannot take a block back: `invalidate` and `reconsider` let a new one see the blocks that count, in the
    order in which they came, which is also what a restart does.
    """

    def __init__(self, log: ChainLog) -> None:
        self._log = log
        self._engine = Engine(log.folder)
        self.coins = CoinSet()
        genesis = Block.parse(self._engine.genesis)
        self._blocks = {genesis.hash: Placed(genesis, 0)}
        self._best = [genesis.hash]
        self._place_of_tx: dict[str, str] = {}
        self._barred: set[str] = set()
        self._out: set[str] = set()  # barred, or above a barred one
        self._remember()

    @property
    def height(self) -> int:
        return len(self._best) - 1

    @property
    def tip(self) -> Placed:
        return self._blocks[self._best[-1]]

    @property
    def blocks(self) -> int:
        """All that are known, on any branch."""
        return len(self._blocks)

    def hash_at(self, height: int) -> str:
        return self._best[height]

    def at(self, height: int) -> Placed:
        return self._blocks[self._best[height]]

    def block(self, block_hash: str) -> Placed:
        """NotFound for a hash that nobody knows."""
        placed = self._blocks.get(block_hash)
        if placed is None:
            raise NotFound("Block not found")
        return placed

    def is_best(self, placed: Placed) -> bool:
        return placed.height <= self.height and self._best[placed.height] == placed.block.hash

    def block_of_tx(self, txid: str) -> Placed | None:
        """Where the best branch holds a transaction."""
        found = self.last_block_of_tx(txid)
        return found if found is not None and self.is_best(found) else None

    def last_block_of_tx(self, txid: str) -> Placed | None:
        """The block that held it last, also one that left the best branch since."""
        block_hash = self._place_of_tx.get(txid)
        return None if block_hash is None else self._blocks[block_hash]

    def median_time_s(self, height: int) -> int:
        """BIP-113's time of the block at a height of the best branch."""
        return self.median_time_of(self.at(height))

    def median_time_of(self, placed: Placed) -> int:
        times = [one.block.header.time_s for one, _ in zip(self._upwards(placed), range(_MEDIAN_OF), strict=False)]
        return sorted(times)[len(times) // 2]

    def submit(self, block: Block) -> Change:
        """BlockRefused where the engine does not take it."""
        if block.hash in self._blocks:
            raise BlockRefused("duplicate")
        parent = self._blocks.get(block.header.previous)
        if parent is None:
            raise BlockRefused("prev-blk-not-found")
        if parent.block.hash in self._out:
            raise BlockRefused("bad-prevblk")
        steps = self._engine.submit(block.raw)
        self._log.append(Kind.BLOCK, block.raw)
        self._blocks[block.hash] = Placed(block, parent.height + 1)
        return self._apply(steps)

    def invalidate(self, block_hash: str) -> Change:
        """Do without a block and all that stand on it."""
        if self.block(block_hash).height == 0:
            raise BlockRefused("the genesis block stays")
        self._log.append(Kind.INVALIDATED, bytes.fromhex(block_hash))
        self._barred.add(block_hash)
        return self._rebuild()

    def reconsider(self, block_hash: str) -> Change:
        """Forget that a block, one below or one above it was held to be invalid."""
        self.block(block_hash)
        self._log.append(Kind.RECONSIDERED, bytes.fromhex(block_hash))
        self._release(block_hash)
        return self._rebuild()

    def close(self) -> None:
        self._engine.close()
        self._log.close()

    def _remember(self) -> None:
        for kind, payload in self._log.read():
            if kind is Kind.BLOCK:
                block = Block.parse(payload)
                parent = self._blocks[block.header.previous]
                self._blocks[block.hash] = Placed(block, parent.height + 1)
            elif kind is Kind.INVALIDATED:
                self._barred.add(payload.hex())
            else:
                self._release(payload.hex())
        if len(self._blocks) > 1:
            self._rebuild()

    def _release(self, block_hash: str) -> None:
        below = {one.block.hash for one in self._upwards(self._blocks[block_hash])}
        self._barred = {
            barred
            for barred in self._barred
            if barred not in below and all(one.block.hash != block_hash for one in self._upwards(self._blocks[barred]))
        }

    def _rebuild(self) -> Change:
        self._engine.close()
        self._engine = Engine(self._log.folder)
        out: set[str] = set()
        best = self._best[:1]
        for placed in self._blocks.values():
            block = placed.block
            if block.hash in self._barred or block.header.previous in out:
                out.add(block.hash)
            elif placed.height:
                for step in self._engine.submit(block.raw):
                    if step.move is Move.CONNECTED:
                        best.append(step.block_hash)
                    else:
                        best.pop()
        self._out = out
        return self._apply(tuple(_steps(self._best, best)))

    def _apply(self, steps: tuple[Step, ...]) -> Change:
        disconnected: list[Block] = []
        connected: list[Block] = []
        for step in steps:
            placed = self._blocks[step.block_hash]
            if step.move is Move.CONNECTED:
                self.coins.connect(placed.block, placed.height)
                self._best.append(step.block_hash)
                self._place_of_tx.update((tx.txid, step.block_hash) for tx in placed.block.transactions)
                connected.append(placed.block)
            else:
                self.coins.disconnect(placed.block)
                self._best.pop()
                disconnected.append(placed.block)
        return Change(tuple(disconnected), tuple(connected))

    def _upwards(self, placed: Placed) -> Iterator[Placed]:
        """A block and all before it, back to the first."""
        here: Placed | None = placed
        while here is not None:
            yield here
            here = self._blocks.get(here.block.header.previous)


def _steps(old: list[str], new: list[str]) -> Iterator[Step]:
    """From one best branch to another over the last block that they share."""
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    yield from (Step(Move.DISCONNECTED, block_hash) for block_hash in reversed(old[shared:]))
    yield from (Step(Move.CONNECTED, block_hash) for block_hash in new[shared:])
