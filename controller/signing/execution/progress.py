"""One execution as the journal tells of it, from its commit until the chain has decided."""

from enum import StrEnum

import msgspec

from controller.journal import RecordedEvent
from controller.signing.execution.event import (
    ContractExecuted,
    ExecutionBroadcast,
    ExecutionBuried,
    ExecutionConfirmed,
    ExecutionOvertaken,
    ExecutionReorganised,
    ExecutionUntaken,
)
from controller.signing.model import ChainPoint, OutPointKey


class ExecutionStatus(StrEnum):
    EXECUTED = "executed"
    BROADCAST = "broadcast"
    UNTAKEN = "untaken"
    CONFIRMED = "confirmed"
    BURIED = "buried"
    OVERTAKEN = "overtaken"


OVER = frozenset({ExecutionStatus.BURIED, ExecutionStatus.OVERTAKEN})


class ExecutionProgress:
    """`raw` is the final transaction, empty once it is over; `node_reason` why the node does not take it, since
    `untaken_height`; `block` is the one that holds it.
    """

    __slots__ = (
        "block",
        "contract_id",
        "depth",
        "executed_at_ms",
        "execution_id",
        "external_sat",
        "fee_sat",
        "inputs",
        "node_reason",
        "path",
        "proposer",
        "raw",
        "status",
        "txid",
        "untaken_height",
    )

    def __init__(self, fact: ContractExecuted, event: RecordedEvent) -> None:
        self.execution_id = fact.execution_id
        self.contract_id = fact.contract_id
        self.path = fact.path
        self.proposer = fact.proposer
        self.txid = fact.txid
        self.external_sat = fact.external_sat
        self.fee_sat = fact.fee_sat
        self.inputs: tuple[OutPointKey, ...] = fact.inputs
        self.depth = fact.depth
        self.executed_at_ms = event.at_ms
        self.raw = fact.raw
        self.status = ExecutionStatus.EXECUTED
        self.node_reason = ""
        self.untaken_height: int | None = None
        self.block: ChainPoint | None = None

    @property
    def over(self) -> bool:
        return self.status in OVER

    def apply(self, fact: msgspec.Struct | None) -> None:
        match fact:
            case ExecutionUntaken(height=height, detail=detail):
                self._turn(ExecutionStatus.UNTAKEN, reason=detail, height=height)
            case ExecutionBroadcast():
                self._turn(ExecutionStatus.BROADCAST)
            case ExecutionConfirmed(block=block):
                self._turn(ExecutionStatus.CONFIRMED, block=block)
            case ExecutionReorganised():
                self._turn(ExecutionStatus.EXECUTED)
            case ExecutionBuried(block=block):
                self._turn(ExecutionStatus.BURIED, block=block)
            case ExecutionOvertaken():
                self._turn(ExecutionStatus.OVERTAKEN, reason=self.node_reason, height=self.untaken_height)
        if self.over:
            self.raw = b""

    def _turn(
        self,
        status: ExecutionStatus,
        *,
        reason: str = "",
        height: int | None = None,
        block: ChainPoint | None = None,
    ) -> None:
        self.status, self.node_reason, self.untaken_height, self.block = status, reason, height, block
