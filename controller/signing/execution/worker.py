"""A worker's side: cards from its brief, verdicts for batches. What breaks on one execution refuses that one."""

from controller.signing.execution.card import Card, card_of
from controller.signing.execution.case import executed
from controller.signing.execution.model import Batch, Brief, Execution, Refused, Verdict
from controller.signing.refusal import SigningRefusal
from shared.errors import BesError, Denied


class Worker:
    def __init__(self, brief: Brief) -> None:
        self._cards: dict[str, Card] = {}
        self._unread: dict[str, str] = {}
        for contract in brief.contracts:
            try:
                self._cards[contract.contract_id] = card_of(contract, brief.indexes)
            except BesError as error:  # of one contract; the others can be executed
                self._unread[contract.contract_id] = str(error)

    def judge(self, batch: Batch) -> tuple[Verdict, ...]:
        """One verdict for each execution, in their order."""
        return tuple(self._judged(execution, batch.height) for execution in batch.executions)

    def _judged(self, execution: Execution, height: int) -> Verdict:
        card = self._cards.get(execution.contract_id)
        if card is None:
            detail = self._unread.get(execution.contract_id, "no active contract of this worker")
            return Verdict(refused=Refused(SigningRefusal.UNKNOWN_CONTRACT, detail))
        try:
            return Verdict(executed=executed(card, execution, height))
        except Denied as denied:
            return Verdict(refused=Refused(denied.rule, denied.detail))
        except BesError as error:
            return Verdict(refused=Refused(SigningRefusal.ANSWER_MALFORMED, str(error)))
