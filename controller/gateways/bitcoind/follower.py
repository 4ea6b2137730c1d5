"""The best branch as a stream: blocks that joined it and blocks that left it, without a gap."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from controller.gateways.bitcoind.model import BlockPoint
from controller.gateways.bitcoind.node import BitcoinNode
from shared.bitcoin.block import Block
from shared.errors import GatewayRefused

REMEMBERED = 1_000
_MOST_STEPS = 100


class BranchLost(GatewayRefused):
    """The chain parted below all that its follower knew: whoever follows it begins anew."""


@dataclass(frozen=True, slots=True)
class BlockConnected:
    point: BlockPoint
    block: Block


@dataclass(frozen=True, slots=True)
class BlockDisconnected:
    point: BlockPoint


class BlockFollower:
    """Begins after the last of `known`, which are consecutive points, lowest first, as a caller has stored them.

    What `poll` returns counts as known from then on. BranchLost where the chain parted before the first of them.
    """

    def __init__(self, node: BitcoinNode, known: Iterable[BlockPoint]) -> None:
        self._node = node
        self._known = deque(known, maxlen=REMEMBERED)

    @property
    def tip(self) -> BlockPoint:
        """The last block that the caller has heard of."""
        return self._known[-1]

    async def poll(self) -> tuple[BlockConnected | BlockDisconnected, ...]:
        """What happened since, at most a hundred steps: call again until there are none."""
        steps: list[BlockConnected | BlockDisconnected] = []
        known = deque(self._known, maxlen=REMEMBERED)
        while not await self._holds(known[-1]):
            steps.append(BlockDisconnected(known.pop()))
            if not known:
                raise BranchLost(f"the chain left us below {steps[-1].point.height}; read its coins anew")
        while len(steps) < _MOST_STEPS:
            height = known[-1].height + 1
            block_hash = await self._node.hash_at(height)
            if block_hash is None:
                break
            block = await self._node.block(block_hash)
            if block.header.previous != known[-1].block_hash:
                break  # the chain moved under us; the next poll walks back
            known.append(BlockPoint(height, block_hash))
            steps.append(BlockConnected(known[-1], block))
        self._known = known
        return tuple(steps)

    async def _holds(self, point: BlockPoint) -> bool:
        return await self._node.hash_at(point.height) == point.block_hash
