"""What the node tells, in our words and units."""

from dataclasses import dataclass

from shared.bitcoin.transaction import OutPoint


@dataclass(frozen=True, slots=True)
class BlockPoint:
    """A block by height and hash (hex in display order)."""

    height: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """`catching_up` while the node has not seen the present chain; what it then tells is old, not wrong."""

    network: str
    version: int
    tip: BlockPoint
    median_time_s: int
    catching_up: bool


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """`raw` are its 80 bytes; `in_chain` is false for a block beside the best branch."""

    point: BlockPoint
    raw: bytes
    median_time_s: int
    in_chain: bool


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the node would say to a transaction. `reason` is its own word and None where it would take it; fee and size
    are None where it would not.
    """

    txid: str
    reason: str | None
    fee_sat: int | None
    vsize_vb: int | None

    @property
    def allowed(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class ScriptCoin:
    """An unspent output in a block."""

    outpoint: OutPoint
    amount_sat: int
    script: bytes
    height: int
    coinbase: bool


@dataclass(frozen=True, slots=True)
class ScriptCoins:
    """All coins of some scripts as of `point`; those of the mempool are not among them."""

    point: BlockPoint
    coins: tuple[ScriptCoin, ...]
