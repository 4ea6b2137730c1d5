"""Who proposed exactly this transaction: one person, by his own key. A name proves nothing."""

from agent.signer.policy.binding import Binding, check_binding
from agent.signer.policy.case import Case
from agent.signer.rule import (
    PROPOSAL_DUPLICATE,
    PROPOSAL_EXPIRED,
    PROPOSAL_INITIATOR,
    PROPOSAL_MISSING,
    PROPOSAL_OTHER_TX,
    PROPOSAL_POLICY_VERSION,
    PROPOSAL_ROLE,
    PROPOSAL_UNKNOWN_PROPOSER,
)
from shared.errors import Denied, WireError
from shared.word import words_in

_BINDING = Binding(PROPOSAL_OTHER_TX, PROPOSAL_POLICY_VERSION, PROPOSAL_EXPIRED)


def proposer_of(case: Case) -> str:
    """The person of the policy who proposed it; `Denied` where the request does not prove who did."""
    if not case.request.proposal:
        raise Denied(PROPOSAL_MISSING, "nobody signed that he proposes this transaction")
    try:
        word, *others = words_in(case.accepted.policy.approvers, case.request.proposal)
    except WireError as error:
        raise Denied(PROPOSAL_UNKNOWN_PROPOSER, f"no key of the policy proposes it: {error.detail}") from error
    if others:
        people = ", ".join(each.person for each in (word, *others))
        raise Denied(PROPOSAL_DUPLICATE, f"one key proposes; here are those of {people}")
    if word.document.role != "proposer":
        detail = f"{word.person} signed it as {word.document.role}, which is no proposal"
        raise Denied(PROPOSAL_ROLE, detail)
    check_binding(case, word, _BINDING)
    if word.document.initiator != word.person:
        detail = f"it names {word.document.initiator} as the proposer; the key is that of {word.person}"
        raise Denied(PROPOSAL_INITIATOR, detail)
    return word.person
