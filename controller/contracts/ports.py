"""What contracts need of the chain and of the money door."""

from typing import Protocol

import msgspec

from shared.wire.contract import ContractTerms


class ContractCoin(msgspec.Struct, frozen=True, kw_only=True):
    """An unspent output of a contract. `height` is that of its block, None while it is in none."""

    txid: str
    vout: int
    amount_sat: int
    height: int | None
    branch: int
    index: int


class Coins(Protocol):
    """What the chain holds for contracts."""

    async def height(self) -> int:
        """Of the chain's tip."""
        ...

    async def unspent(self, terms: ContractTerms) -> tuple[ContractCoin, ...]:
        """All coins of the contract, those without a block included."""
        ...


class Registrar(Protocol):
    """Hands contracts and policies to signing boxes; `controller.signing` is the one that can.

    It is idempotent: a box answers a registration that it knows with the row it wrote then. GatewayUnavailable where
    the broker cannot be reached.
    """

    async def register(self, box_id: str, terms: ContractTerms, policy_version: int, sealed_policy: bytes) -> None: ...
