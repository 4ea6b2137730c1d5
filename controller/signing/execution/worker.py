"""A worker's side: cards from briefs, verdicts for batches. What breaks on one execution refuses that one."""

from collections import defaultdict
from collections.abc import Sequence

from controller.signing.execution.card import Card, Forms, card_of
from controller.signing.execution.case import executed
from controller.signing.execution.model import Batch, Brief, Execution, Refused, Verdict
from controller.signing.refusal import SigningRefusal
from shared.errors import BesError, Denied


class Worker:
    """Knows the contracts that it was briefed about, each as its newest brief tells."""

    def __init__(self, briefs: Sequence[Brief] = ()) -> None:
        self._cards: dict[str, Card] = {}
        self._forms: defaultdict[str, Forms] = defaultdict(dict)
        self._unread: dict[str, str] = {}
        self._learn(briefs)

    def judge(self, batch: Batch) -> tuple[Verdict, ...]:
        """One verdict for each execution, in their order."""
        self._learn(batch.briefs)
        return tuple(self._judged(execution, batch.height) for execution in batch.executions)

    def _learn(self, briefs: Sequence[Brief]) -> None:
        for brief in briefs:
            contract_id = brief.contract.contract_id
            self._cards.pop(contract_id, None)
            try:
                self._cards[contract_id] = card_of(brief.contract, brief.indexes, self._forms[contract_id])
            except BesError as error:  # of one contract; the others can be executed
                self._unread[contract_id] = str(error)

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
