"""The verdict of a rule list: destinations, their cooling, and the limits of the policy. What none allows is no."""

from collections.abc import Callable, Iterator

from controller.signing.approval import path_of, role_for
from controller.signing.board import ProposalBoard
from controller.signing.event import SpendingProposed
from controller.signing.fee import WITNESS_SCALE
from controller.signing.ports import Contract, Ruling
from controller.signing.refusal import SigningRefusal

Problem = tuple[SigningRefusal, str]
Rule = Callable[[Contract, SpendingProposed, int], Problem | None]


class RuleVerdicts:
    """Verdicts of the contract's own policy, by the first rule that refuses; the board knows what was signed before."""

    def __init__(self, board: ProposalBoard) -> None:
        self._board = board

    async def rule(self, contract: Contract, proposal: SpendingProposed, height: int) -> Ruling:
        asked: list[str] = []
        for name, problem in self._asked(contract, proposal, height):
            asked.append(name)
            if problem is not None:
                return Ruling(False, (problem[0],), problem[1])
        return Ruling(True, tuple(asked))

    def _asked(
        self, contract: Contract, proposal: SpendingProposed, height: int
    ) -> Iterator[tuple[str, Problem | None]]:
        yield "destinations", _destinations(contract, proposal, height)
        yield "fee", _fee(contract, proposal)
        yield "amounts", self._amounts(contract, proposal, height)

    def _amounts(self, contract: Contract, proposal: SpendingProposed, height: int) -> Problem | None:
        limits, total_sat = contract.policy.limits, proposal.external_sat + proposal.fee_sat
        if total_sat > limits.per_tx_sat:
            return (
                SigningRefusal.TX_LIMIT,
                f"{total_sat} sat with the fee; one transaction may spend {limits.per_tx_sat}",
            )
        window_sat = total_sat + self._before(proposal, height - limits.window_blocks)
        if window_sat > limits.window_sat:
            detail = f"{window_sat} sat within {limits.window_blocks} blocks; the limit is {limits.window_sat}"
            return SigningRefusal.WINDOW_LIMIT, detail
        lifetime_sat = total_sat + self._before(proposal, 0)
        if lifetime_sat > limits.lifetime_sat:
            return SigningRefusal.LIFETIME_LIMIT, f"{lifetime_sat} sat in all; the limit is {limits.lifetime_sat}"
        return None

    def _before(self, proposal: SpendingProposed, since_height: int) -> int:
        """What other families have spent."""
        return self._board.spent_sat(proposal.contract_id, since_height, without=proposal.inputs[0])


def _destinations(contract: Contract, proposal: SpendingProposed, height: int) -> Problem | None:
    if role_for(path_of(contract, proposal.path)) == "recovery":
        return None  # a recovery goes where its own people approve; boxes know the role as well
    listed = {destination.address: destination for destination in contract.policy.allow_list}
    for payment in proposal.payments:
        destination = listed.get(payment.address)
        if destination is None:
            return SigningRefusal.UNLISTED, f"{payment.address} is not in the allow-list of the policy"
        ready = destination.added_at_height + contract.policy.cooling_blocks
        if height < ready:
            return SigningRefusal.COOLING, f"{destination.name} may be paid from block {ready} on; it is {height} now"
    return None


def _fee(contract: Contract, proposal: SpendingProposed) -> Problem | None:
    limits = contract.policy.limits
    if proposal.fee_sat > limits.fee_sat:
        return SigningRefusal.FEE_LIMIT, f"a fee of {proposal.fee_sat} sat; at most {limits.fee_sat}"
    if proposal.fee_sat * WITNESS_SCALE > limits.fee_rate_sat_vb * proposal.weight_wu:
        rate = proposal.fee_sat * WITNESS_SCALE / proposal.weight_wu
        return SigningRefusal.FEE_RATE_LIMIT, f"{rate:.1f} sat/vB; at most {limits.fee_rate_sat_vb}"
    if proposal.weight_wu > limits.weight_wu:
        return SigningRefusal.WEIGHT_LIMIT, f"{proposal.weight_wu} weight units; at most {limits.weight_wu}"
    return None
