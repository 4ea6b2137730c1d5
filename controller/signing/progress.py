"""One proposal, folded from its events: where it stands, who was asked and what was heard."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from controller.journal import RecordedEvent
from controller.signing import event as fact_of
from controller.signing.event import SpendingProposed
from controller.signing.model import COMPLETE, ENDED, MAY_CONFIRM, UNSIGNED, AskedBox, ChainPoint, ProposalStatus, Round
from shared.errors import Corrupt

S = ProposalStatus
PASSING = frozenset(
    {
        "musig.nonce",
        "musig.session",
        "clock.stale",
        "ledger.quorum",
        "request.expired",
        "request.busy",
        "request.quota",
        "token.away",
    }
)
"""Refusals of a box that another try may overcome."""
_WAITING = frozenset({"clock.stale", "ledger.quorum"})
"""Those in which the box itself waits for headers or witnesses."""
REST_MS = 5_000
"""How long such a box is left alone, twice as long each time; and any box from its third refusal on."""
_LONGEST_REST_MS = 600_000


class OpenRequest(NamedTuple):
    """Somebody was asked for a signature and has not refused: it may exist, heard or not."""

    attempt: int
    path: str
    party: str


class SigningRound:
    """One round: who was asked, and what each has said by now, by request id; `said` is why a box did not sign."""

    def __init__(self, started: fact_of.RoundStarted) -> None:
        self.attempt = started.attempt
        self.kind = started.round
        self.path = started.path
        self.until_ms = started.until_ms
        self.asked: dict[str, AskedBox] = {box.request_id: box for box in started.asked}
        self.sent: set[str] = set()
        self.taken: dict[str, fact_of.AnswerTaken] = {}
        self.failed: dict[str, str] = {}
        self.said: dict[str, str] = {}

    @property
    def open(self) -> list[AskedBox]:
        """Asked, and nothing usable or final heard."""
        return [box for key, box in self.asked.items() if key not in self.taken and key not in self.failed]


class ProposalProgress:
    """Starts with `SpendingProposed`; `apply` takes every later event of the stream in order.

    `account` asked for it; `proposer` is who signed that he proposes it, empty until somebody has.

    A transition that the state machine does not have is Corrupt: only this package writes these streams, each time
    with the version that it decided on.
    """

    def __init__(self, proposal: SpendingProposed, event: RecordedEvent) -> None:
        self.proposal = proposal
        self.account = event.actor
        self.proposer = ""
        self.proposer_seal = b""
        self.proposed_at_ms = self.changed_at_ms = event.at_ms
        self.status = S.PROPOSED
        self.version = event.version
        self.approvals: dict[str, bytes] = {}
        self.attempt = 0
        self.round: SigningRound | None = None
        self.nonces: dict[str, bytes] = {}
        self.signatures: dict[str, dict[str, bytes]] = {}
        self.tries: Counter[tuple[str, str]] = Counter()
        self.failed: dict[tuple[str, str], str] = {}
        self.resting_until_ms: dict[tuple[str, str], int] = {}
        self.open_requests: dict[str, OpenRequest] = {}
        self.verdict_height: int | None = None
        self.final: fact_of.ProposalFinalised | None = None
        self.withheld = False
        self.control: fact_of.ControlProven | None = None
        self.broadcasts = 0
        self.node_reason = ""
        self.conflict_height: int | None = None
        self.block: ChainPoint | None = None
        self.rule = self.detail = self.replaced_by = ""

    @property
    def proposal_id(self) -> str:
        return self.proposal.proposal_id

    @property
    def over(self) -> bool:
        return self.status in ENDED

    @property
    def signed(self) -> bool:
        """May anybody have signed it?"""
        return self.attempt > 0 or bool(self.signatures)

    def asked(self, request_id: str) -> AskedBox | None:
        """Whom this request went to, while its round is the present one."""
        return self.round.asked.get(request_id) if self.round is not None else None

    def apply(self, event: RecordedEvent, fact: msgspec.Struct) -> bool:
        """Fold the next event; one that was folded before changes nothing. False where events before it are missing."""
        if event.version <= self.version:
            return True
        if event.version != self.version + 1:
            return False
        allowed, take = _STEPS[type(fact)]
        if self.status not in allowed:
            raise Corrupt(f"{event.stream}: {event.name} at version {event.version} cannot follow {self.status}")
        self.version, self.changed_at_ms = event.version, event.at_ms
        take(self, fact)
        return True

    def _proposed_by(self, fact: fact_of.ProposalSealed) -> None:
        self.proposer, self.proposer_seal, self.status = fact.person, fact.sealed, S.SEALED

    def _approved_by(self, fact: fact_of.ApprovalGiven) -> None:
        self.approvals[fact.person] = fact.sealed

    def _round(self, fact: fact_of.RoundStarted) -> None:
        if fact.round is Round.PARTIAL and self.round is not None:
            self.nonces = {answer.party: answer.psbt for answer in self.round.taken.values()}
        else:
            self.nonces = {}
            self.tries.update((fact.path, box.party) for box in fact.asked)
        if fact.round is not Round.NONCE:
            self.open_requests |= {
                box.request_id: OpenRequest(fact.attempt, fact.path, box.party) for box in fact.asked
            }
        self.attempt, self.round, self.status = fact.attempt, SigningRound(fact), S.SIGNING

    def _sent(self, fact: fact_of.RequestSent) -> None:
        if self.round is not None:
            self.round.sent.add(fact.request_id)

    def _answered(self, fact: fact_of.AnswerTaken) -> None:
        """From a box of the present round, or from a file."""
        if self.round is not None and fact.request_id in self.round.asked:
            self.round.taken[fact.request_id] = fact
            if self.round.kind is not Round.SIGN:
                return
        if self.status is S.CLEARED:
            self.status = S.SIGNING  # a file may come before any box was asked, or where no party has one
        self.signatures.setdefault(fact.path, {})[fact.party] = fact.psbt

    def _box_refused(self, fact: fact_of.BoxRefused) -> None:
        self.open_requests.pop(fact.request_id, None)
        if self.round is not None and fact.request_id in self.round.asked:
            self.round.failed[fact.request_id] = fact.rule
            self.round.said[fact.request_id] = fact.detail
            key = (self.round.path, fact.party)
            if fact.rule not in PASSING:
                self.failed[key] = fact.rule
            elif fact.rule in _WAITING or self.tries[key] > 2:
                rest_ms = min(_LONGEST_REST_MS, REST_MS << min(self.tries[key] - 1, 16))
                self.resting_until_ms[key] = self.changed_at_ms + rest_ms

    def _blamed(self, fact: fact_of.AnswerBlamed) -> None:
        if self.round is not None and fact.request_id in self.round.asked:
            self.round.failed[fact.request_id] = fact.rule
            self.round.said[fact.request_id] = fact.detail
            self.failed[self.round.path, fact.party] = fact.rule

    def _repeated(self, _fact: fact_of.RoundRepeated) -> None:
        """The same questions; nothing else changes."""

    def _aborted(self, _fact: fact_of.RoundAborted) -> None:
        self.round, self.nonces = None, {}

    def _cleared(self, fact: fact_of.VerdictPassed) -> None:
        self.verdict_height = fact.height
        if self.status is S.APPROVED:
            self.status = S.CLEARED
        if self.withheld:
            self.withheld, self.rule, self.detail = False, "", ""

    def _withheld(self, fact: fact_of.BroadcastWithheld) -> None:
        self.withheld, self.rule, self.detail = True, fact.rule, fact.detail

    def _lapsed(self, fact: fact_of.ProposalLapsed) -> None:
        self.rule, self.detail, self.status = fact.rule, fact.detail, S.LAPSED

    def _finalised(self, fact: fact_of.ProposalFinalised) -> None:
        self.final, self.round, self.status = fact, None, S.FINALISED
        self.rule = self.detail = ""

    def _proven(self, fact: fact_of.ControlProven) -> None:
        self.control, self.round, self.status = fact, None, S.PROVEN

    def _broadcast(self, fact: fact_of.TransactionBroadcast) -> None:
        self.broadcasts = max(self.broadcasts, fact.number)
        self.conflict_height, self.node_reason = None, ""
        if self.status in (S.FINALISED, S.REORGANISED):
            self.status = S.BROADCAST

    def _not_broadcast(self, fact: fact_of.BroadcastRefused) -> None:
        self.broadcasts, self.node_reason = max(self.broadcasts, fact.number), fact.detail

    def _conflict(self, fact: fact_of.ConflictSeen) -> None:
        self.conflict_height = fact.height

    def _conflict_over(self, _fact: fact_of.ConflictEnded) -> None:
        self.conflict_height = None

    def _confirmed(self, fact: fact_of.TransactionConfirmed) -> None:
        """Of a lapsed one too: somebody had the signatures."""
        self.block, self.status, self.conflict_height = fact.block, S.CONFIRMED, None
        self.round, self.withheld = None, False
        self.rule = self.detail = self.node_reason = ""

    def _reorganised(self, _fact: fact_of.TransactionReorganised) -> None:
        self.block, self.status = None, S.LAPSED if self.final is None else S.REORGANISED

    def _refused(self, fact: fact_of.ProposalRefused) -> None:
        self.rule, self.detail, self.status = fact.rule, fact.detail, S.REFUSED

    def _replaced(self, fact: fact_of.ProposalReplaced) -> None:
        self.replaced_by, self.status = fact.by, S.REPLACED


Step = tuple[frozenset[ProposalStatus], Callable[[ProposalProgress, Any], None]]


def _to(status: ProposalStatus) -> Callable[[ProposalProgress, Any], None]:
    def take(progress: ProposalProgress, _fact: msgspec.Struct) -> None:
        progress.status = status

    return take


_ANY = frozenset(ProposalStatus)
_BEFORE_FINAL = UNSIGNED | {S.SIGNING, S.LAPSED}
_AFTER_APPROVAL = frozenset({S.APPROVED, S.CLEARED, S.SIGNING, S.LAPSED, S.FINALISED})
_STEPS: dict[type[msgspec.Struct], Step] = {
    fact_of.ProposalSealed: (frozenset({S.PROPOSED}), ProposalProgress._proposed_by),
    fact_of.ApprovalGiven: (frozenset({S.SEALED}), ProposalProgress._approved_by),
    fact_of.ProposalApproved: (frozenset({S.SEALED}), _to(S.APPROVED)),
    fact_of.VerdictPassed: (_AFTER_APPROVAL, ProposalProgress._cleared),
    fact_of.RoundStarted: (frozenset({S.CLEARED, S.SIGNING}), ProposalProgress._round),
    fact_of.RequestSent: (_ANY, ProposalProgress._sent),
    fact_of.AnswerTaken: (frozenset({S.CLEARED, S.SIGNING, S.LAPSED}), ProposalProgress._answered),
    fact_of.BoxRefused: (frozenset({S.SIGNING, S.LAPSED}), ProposalProgress._box_refused),
    fact_of.AnswerBlamed: (frozenset({S.SIGNING, S.LAPSED}), ProposalProgress._blamed),
    fact_of.RoundRepeated: (frozenset({S.SIGNING}), ProposalProgress._repeated),
    fact_of.RoundAborted: (frozenset({S.SIGNING}), ProposalProgress._aborted),
    fact_of.ProposalFinalised: (frozenset({S.SIGNING, S.LAPSED}), ProposalProgress._finalised),
    fact_of.BroadcastWithheld: (frozenset({S.FINALISED}), ProposalProgress._withheld),
    fact_of.ControlProven: (frozenset({S.SIGNING}), ProposalProgress._proven),
    fact_of.TransactionBroadcast: (_ANY, ProposalProgress._broadcast),
    fact_of.BroadcastRefused: (_ANY, ProposalProgress._not_broadcast),
    fact_of.ConflictSeen: (MAY_CONFIRM, ProposalProgress._conflict),
    fact_of.ConflictEnded: (MAY_CONFIRM, ProposalProgress._conflict_over),
    fact_of.TransactionConfirmed: (MAY_CONFIRM, ProposalProgress._confirmed),
    fact_of.TransactionReorganised: (frozenset({S.CONFIRMED}), ProposalProgress._reorganised),
    fact_of.TransactionBuried: (frozenset({S.CONFIRMED}), _to(S.BURIED)),
    fact_of.ProposalLapsed: (frozenset({S.SIGNING}), ProposalProgress._lapsed),
    fact_of.ProposalExpired: (_BEFORE_FINAL, _to(S.EXPIRED)),
    fact_of.ProposalRefused: (_BEFORE_FINAL | COMPLETE, ProposalProgress._refused),
    fact_of.ProposalCancelled: (UNSIGNED, _to(S.CANCELLED)),
    fact_of.ProposalReplaced: (MAY_CONFIRM, ProposalProgress._replaced),
}
