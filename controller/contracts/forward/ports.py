"""What forwards need of a box and of the chain."""

from typing import Protocol

import msgspec

from controller.contracts.forward.event import Step
from controller.contracts.ports import ContractCoin
from shared.wire.contract import ContractTerms


class ForwardAsk(msgspec.Struct, frozen=True, kw_only=True):
    """One step, as the box is asked for it. The same `attempt` is the same request."""

    contract_id: str
    policy_version: int
    step: Step
    attempt: int
    deed: bytes
    proposal: bytes
    approvals: tuple[bytes, ...]
    adaptors: tuple[bytes, ...]
    refund: bytes
    attestation: bytes
    expires_at_ms: int
    expires_at_height: int


class BoxWord(msgspec.Struct, frozen=True, kw_only=True):
    """What the box said to it; `rule` is empty where it did it."""

    contract_id: str
    step: Step
    attempt: int
    box_id: str
    rule: str = ""
    detail: str = ""
    adaptors: tuple[bytes, ...] = ()
    signature: bytes = b""


class ForwardBox(Protocol):
    """GatewayUnavailable where the broker cannot be reached; what the box says arrives by `ForwardService`."""

    async def ask_forward(self, box_id: str, ask: ForwardAsk) -> None: ...


class ForwardChain(Protocol):
    """GatewayUnavailable where the node cannot be asked; unknown is None."""

    async def height(self) -> int: ...

    async def bits_at(self, height: int) -> int | None:
        """The compact target of the best branch's block at a height; None above its tip."""
        ...

    async def height_of(self, txid: str) -> int | None:
        """Of the block that holds a transaction; None where it is in none."""
        ...

    async def unspent(self, terms: ContractTerms) -> tuple[ContractCoin, ...]: ...

    async def broadcast(self, raw: bytes) -> None: ...
