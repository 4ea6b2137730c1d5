"""What the money door needs of contracts, of the chain, of signing boxes and of whoever judges."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from controller.signing.event import SpendingProposed
from controller.signing.model import ChainPoint, Coin
from shared.bitcoin.transaction import TxOut
from shared.wire.contract import ContractTerms, SpendingPolicy


class BoxAddress(msgspec.Struct, frozen=True):
    """Where the box of a party is, and the Ed25519 key (32 bytes) by which it signs what it says."""

    box_id: str
    site: str
    node: str
    public_key: bytes


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract as it is in force: terms, policy, and the box of each party that has one.

    `witness_wu` is the largest witness of an input by the name of the path that makes it. A party without a box signs
    files (airgap).
    """

    contract_id: str
    terms: ContractTerms
    policy: SpendingPolicy
    boxes: Mapping[str, BoxAddress]
    witness_wu: Mapping[str, int]
    depth: int = 6


class ContractBook(Protocol):
    """Contracts that may spend, from memory; `controller.contracts` keeps one."""

    def contract(self, contract_id: str) -> Contract | None: ...


class Acceptance(msgspec.Struct, frozen=True):
    """What a node says about a transaction; `reason` is its own reject reason."""

    allowed: bool
    reason: str = ""


class Chain(Protocol):
    """A node. GatewayUnavailable where it cannot be asked; unknown is None, never zero."""

    async def tip(self) -> ChainPoint: ...

    async def coins(self, contract: Contract) -> Sequence[Coin]:
        """Unspent outputs of the contract's scripts, the mempool included."""
        ...

    async def next_change_index(self, contract: Contract) -> int:
        """The first index of the change branch that the chain has never seen."""
        ...

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None: ...

    async def least_rate_sat_kvb(self) -> int:
        """Below it the node relays nothing: the larger of its mempool's minimum and its relay fee."""
        ...

    async def test_accept(self, raw: bytes) -> Acceptance: ...

    async def broadcast(self, raw: bytes) -> None:
        """Hand a transaction over; done too where the node has it already. GatewayRefused with the node's reason."""
        ...

    async def holds(self, txid: str, vout: int) -> bool:
        """Is this output in the present chain and spent by nothing in it? What waits in the mempool does not count."""
        ...

    async def block_of(self, txid: str) -> ChainPoint | None:
        """The block of the present chain that holds a transaction; None where there is none."""
        ...


class SigningPublisher(Protocol):
    """Hands sealed bytes to the broker: done when the broker has taken them over, GatewayUnavailable otherwise."""

    async def publish_signing(self, site: str, node: str, sealed: bytes) -> None: ...


class Judge(Protocol):
    """Bitcoin Core's consensus engine in a process of its own; its death is a no."""

    def accepts(self, raw: bytes, spent: Sequence[TxOut]) -> "JudgeVerdict": ...


class JudgeVerdict(Protocol):
    @property
    def ok(self) -> bool: ...

    @property
    def failed_input(self) -> int | None: ...


class Ruling(msgspec.Struct, frozen=True):
    """A verdict about one transaction. A refusal has one rule; an allowance tells all that were asked."""

    allowed: bool
    rules: tuple[str, ...]
    detail: str = ""


class Verdicts(Protocol):
    """May this transaction be signed now? Bound to its txid; asked anew for every proposal."""

    async def rule(self, contract: Contract, proposal: SpendingProposed, height: int) -> Ruling: ...
