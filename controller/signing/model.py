"""Coins, payments, and the states that a proposal goes through."""

from enum import StrEnum

import msgspec

OutPointKey = tuple[str, int]
"""(txid in display order, output number)."""


class Coin(msgspec.Struct, frozen=True, kw_only=True):
    """An unspent output of a contract. `branch` and `index` derive its script; `height` is None in the mempool.

    `previous_tx` is the whole transaction that made it: boxes take an amount from nothing else.
    """

    txid: str
    vout: int
    amount_sat: int
    script: bytes
    branch: int
    index: int
    height: int | None
    previous_tx: bytes
    coinbase: bool = False

    @property
    def outpoint(self) -> OutPointKey:
        return self.txid, self.vout


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """Money that leaves the contract. `name` is that of the destination in the allow-list, empty where it has none."""

    address: str
    amount_sat: int
    name: str = ""


class Person(msgspec.Struct, frozen=True):
    """Who acts at the money door; `session` is the id of the browser session or token."""

    name: str
    session: str = ""


class ProposalStatus(StrEnum):
    PROPOSED = "proposed"  # waits for its proposer's own signature
    SEALED = "sealed"  # waits for approvals
    APPROVED = "approved"  # waits for the verdict
    CLEARED = "cleared"  # waits for its first round
    SIGNING = "signing"
    LAPSED = "lapsed"  # given up, yet a whole set of signatures may exist somewhere: its coins stay held
    FINALISED = "finalised"  # complete and judged; durable, not yet with the node
    BROADCAST = "broadcast"
    CONFIRMED = "confirmed"  # in a block, not yet deep enough
    REORGANISED = "reorganised"  # its block left the chain
    BURIED = "buried"  # at the depth that the contract asks for
    EXPIRED = "expired"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    PROVEN = "proven"  # a proof of control is complete
    REPLACED = "replaced"  # another version of it is buried


ENDED = frozenset(
    {
        ProposalStatus.BURIED,
        ProposalStatus.PROVEN,
        ProposalStatus.EXPIRED,
        ProposalStatus.REFUSED,
        ProposalStatus.CANCELLED,
        ProposalStatus.REPLACED,
    }
)
UNSIGNED = frozenset({ProposalStatus.PROPOSED, ProposalStatus.SEALED, ProposalStatus.APPROVED, ProposalStatus.CLEARED})
COMPLETE = frozenset(
    {
        ProposalStatus.FINALISED,
        ProposalStatus.BROADCAST,
        ProposalStatus.CONFIRMED,
        ProposalStatus.REORGANISED,
    }
)
"""There is a final transaction that may confirm."""
MAY_CONFIRM = COMPLETE | {ProposalStatus.LAPSED}


class Round(StrEnum):
    """What boxes are asked for; MuSig2 takes two rounds, everything else one."""

    SIGN = "sign"
    NONCE = "nonce"
    PARTIAL = "partial"


class AskedBox(msgspec.Struct, frozen=True, array_like=True):
    """One request of a round: `party` is whose key the box holds."""

    request_id: str
    party: str
    site: str
    node: str


class ChainPoint(msgspec.Struct, frozen=True, array_like=True):
    """A block by height and hash (display order)."""

    height: int
    block_hash: str
