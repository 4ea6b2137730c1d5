"""What executions write into the journal. Stream `execution/<id>`."""

from typing import get_args

import msgspec

from controller.journal import EventCodec
from controller.signing.model import ChainPoint


class ContractExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """Base, proposal and approvals as they came, and the final transaction: enough to judge it all again.

    `predicted_wu` is what the contract's cost said, `weight_wu` what came of it; after `depth` blocks it is over.
    """

    execution_id: str
    contract_id: str
    path: str
    proposer: str
    txid: str
    base: bytes
    proposal: bytes
    approvals: tuple[bytes, ...]
    raw: bytes
    inputs: tuple[tuple[str, int], ...]
    external_sat: int
    fee_sat: int
    weight_wu: int
    predicted_wu: int
    height: int
    depth: int = 6


class ExecutionBroadcast(msgspec.Struct, frozen=True):
    """The node has taken it."""

    execution_id: str
    txid: str


class ExecutionUntaken(msgspec.Struct, frozen=True):
    """The node does not take it, since this height by this reason of its own. It is offered again with each block."""

    execution_id: str
    txid: str
    height: int
    detail: str


class ExecutionConfirmed(msgspec.Struct, frozen=True):
    execution_id: str
    txid: str
    block: ChainPoint


class ExecutionReorganised(msgspec.Struct, frozen=True):
    """`block` left the chain; the transaction is offered again."""

    execution_id: str
    txid: str
    block: ChainPoint


class ExecutionBuried(msgspec.Struct, frozen=True):
    execution_id: str
    txid: str
    block: ChainPoint
    depth: int


class ExecutionOvertaken(msgspec.Struct, frozen=True):
    """Since this height something else has its coins, for as many blocks as bury a transaction."""

    execution_id: str
    txid: str
    height: int


Fact = (
    ContractExecuted
    | ExecutionBroadcast
    | ExecutionUntaken
    | ExecutionConfirmed
    | ExecutionReorganised
    | ExecutionBuried
    | ExecutionOvertaken
)
codec = EventCodec(get_args(Fact))
PREFIX = "execution/"
