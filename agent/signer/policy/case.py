"""One request with all that a decision about it may depend on, and what follows from it by arithmetic alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from agent.signer.policy.contract import Accepted, Contract
from agent.signer.policy.place import Place, place_of_input, place_of_output
from agent.signer.rule import INPUT_UNVOUCHED
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.errors import Denied
from shared.wire.contract import SpendingPath
from shared.wire.signing import SigningRequest


@dataclass(frozen=True)
class Case:
    """`height` is that of the box's own header clock. Properties raise `Denied` with the tag of the first fault that
    they meet, so no check can use a figure that is not proven.
    """

    request: SigningRequest
    psbt: Psbt
    contract: Contract
    accepted: Accepted
    path: SpendingPath
    height: int

    @property
    def tx(self) -> Transaction:
        return self.psbt.tx

    @property
    def descriptor(self) -> Descriptor:
        return self.contract.descriptor

    @cached_property
    def coins(self) -> tuple[TxOut, ...]:
        """The spent outputs in the order of the inputs, as previous transactions prove them."""
        pairs = zip(self.tx.inputs, self.psbt.inputs, strict=True)
        return tuple(_proven(each.outpoint, claimed.spent) for each, claimed in pairs)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where in the descriptor each input's script stands."""
        pairs = zip(self.coins, self.psbt.inputs, strict=True)
        return tuple(place_of_input(self.descriptor, coin, claimed) for coin, claimed in pairs)

    @cached_property
    def payments(self) -> tuple[TxOut, ...]:
        """The outputs that leave the contract; all others are its own."""
        pairs = zip(self.tx.outputs, self.psbt.outputs, strict=True)
        return tuple(out for out, claimed in pairs if place_of_output(self.descriptor, out, claimed) is None)

    @cached_property
    def external_sat(self) -> int:
        """What leaves the contract without the fee."""
        return _sum(self.payments)

    @cached_property
    def fee_sat(self) -> int:
        """Below zero where outputs hold more than inputs."""
        return _sum(self.coins) - _sum(self.tx.outputs)


def _proven(outpoint: OutPoint, coin: TxOut | None) -> TxOut:
    if coin is None:
        raise Denied(INPUT_UNVOUCHED, f"{outpoint}: the previous transaction, which proves its amount, is missing")
    return coin


def _sum(outputs: Iterable[TxOut]) -> int:
    return sum(output.amount_sat for output in outputs)
