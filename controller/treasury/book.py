"""Contracts that may spend, as the money door sees them: terms, the policy in force, boxes, what each path weighs."""

from collections.abc import Callable
from functools import lru_cache

from controller.contracts.book import ContractBook
from controller.contracts.route import routes
from controller.signing.ports import Contract
from controller.treasury.boxes import BoxDirectory
from shared.bitcoin.miniscript.cost import INPUT_BASE_WU
from shared.wire.contract import ContractTerms


class SpendableContracts:
    """Fills `controller.signing.ports.ContractBook`. `height` tells the tip that was read last, None before."""

    def __init__(self, book: ContractBook, boxes: BoxDirectory, height: Callable[[], int | None]) -> None:
        self._book = book
        self._boxes = boxes
        self._height = height

    def contract(self, contract_id: str) -> Contract | None:
        """None for one that may not propose, or that no policy is known to be in force for."""
        found, height = self._book.find(contract_id), self._height()
        if found is None or not found.may_propose or height is None:
            return None
        in_force = found.policy_at(height)
        if in_force is None:
            return None
        return Contract(
            contract_id=contract_id,
            terms=found.terms,
            policy=in_force.policy,
            boxes=self._boxes.of_parties(found.terms.parties),
            witness_wu=_witness_wu(found.terms),
        )


@lru_cache(maxsize=1_024)
def _witness_wu(terms: ContractTerms) -> dict[str, int]:
    return {route.path.name: route.input_wu - INPUT_BASE_WU for route in routes(terms.descriptor, terms.parties)}
