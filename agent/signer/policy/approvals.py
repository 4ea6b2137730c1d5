"""Who said yes to exactly this transaction. People count, not keys, and whoever proposed it does not count at all."""

from collections.abc import Sequence

from agent.signer.policy.binding import Binding, check_binding
from agent.signer.policy.case import Case
from agent.signer.policy.proposal import proposer_of
from agent.signer.rule import (
    APPROVAL_DUPLICATE,
    APPROVAL_EXPIRED,
    APPROVAL_INITIATOR,
    APPROVAL_MISSING,
    APPROVAL_OTHER_TX,
    APPROVAL_POLICY_VERSION,
    PROPOSAL_DUPLICATE,
)
from shared.errors import Denied, WireError
from shared.person import folded
from shared.wire.contract import KeyRole
from shared.word import Word, words_in

_BINDING = Binding(APPROVAL_OTHER_TX, APPROVAL_POLICY_VERSION, APPROVAL_EXPIRED)


def required_role(case: Case) -> KeyRole:
    return "recovery" if case.path.role == "recovery" else "approver"


def recovery_was_called(case: Case) -> bool:
    """Did anybody of the recovery role approve as such?"""
    return any(_may_recover(case, given) for given in _given(case))


def one_proposes_and_others_approve(case: Case) -> None:
    """The approvals that came along must all be good: a doubtful one is a sign of something wrong, not of nothing."""
    proposer, given = proposer_of(case), _given(case)
    for each in given:
        check_binding(case, each, _BINDING)
        _check_role(case, each)
    _check_persons(given, proposer)
    needed = case.accepted.policy.approvals_needed
    if len(given) < needed:
        raise Denied(APPROVAL_MISSING, f"{len(given)} of {needed} people approved")


def _given(case: Case) -> list[Word]:
    given = []
    for number, sealed in enumerate(case.request.approvals, 1):
        try:
            given += words_in(case.accepted.policy.approvers, sealed)
        except WireError as error:
            raise Denied(APPROVAL_MISSING, f"approval {number} counts for nothing: {error.detail}") from error
    return given


def _check_role(case: Case, given: Word) -> None:
    role = required_role(case)
    if given.document.role == "proposer":
        raise Denied(PROPOSAL_DUPLICATE, f"{given.person} proposes it among those who approve")
    fits = _may_recover(case, given) if role == "recovery" else given.key.role == given.document.role == role
    if not fits:
        raise Denied(APPROVAL_MISSING, f"{given.person} approved as {given.document.role}; the path asks for {role}")


def _may_recover(case: Case, given: Word) -> bool:
    people = case.accepted.policy.recovery_role_people
    return given.document.role == given.key.role == "recovery" and given.person in people


def _check_persons(given: Sequence[Word], proposer: str) -> None:
    persons = [folded(each.person) for each in given]
    if len(set(persons)) != len(persons):
        raise Denied(APPROVAL_DUPLICATE, "one person approved twice")
    for each in given:
        if each.document.initiator != proposer:
            detail = f"{each.person} approved what {each.document.initiator} proposed; {proposer} did"
            raise Denied(APPROVAL_INITIATOR, detail)
    if folded(proposer) in persons:
        raise Denied(APPROVAL_INITIATOR, "whoever proposed a payment cannot approve it")
