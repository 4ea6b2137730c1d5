"""Who proposes a transaction: the person whose key signed that he does, whatever account asked for it."""

import msgspec

from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from controller.signing.word import WordRules, check_counts, word_of
from shared.errors import Denied
from shared.person import folded
from shared.wire.contract import Approval, SpendingPolicy

_RULES = WordRules(
    SigningRefusal.PROPOSER_UNKNOWN,
    SigningRefusal.PROPOSED_TWICE,
    SigningRefusal.PROPOSAL_POLICY,
    SigningRefusal.PROPOSAL_EXPIRED,
)


def proposal_of(subject: Approval, person: str) -> Approval:
    """What this person signs to propose what an approval is about."""
    return msgspec.structs.replace(subject, role="proposer", initiator=person)


def proposer_of(sealed: bytes, subject: Approval, contract: Contract, height: int) -> str:
    """The person of the policy who proposes what `subject` is about; Denied by name where nobody does.

    Role and initiator of `subject` do not count.
    """
    if not sealed:
        raise Denied(SigningRefusal.PROPOSAL_MISSING, "nobody signed that he proposes it")
    document, key = word_of(sealed, contract, _RULES)
    if document.role != "proposer":
        raise Denied(SigningRefusal.PROPOSAL_ROLE, f"{key.person} signed it as {document.role}, which is no proposal")
    check_counts(document, subject, contract, height, _RULES)
    if document.initiator != key.person:
        detail = f"it names {document.initiator} as the proposer; the key is that of {key.person}"
        raise Denied(SigningRefusal.PROPOSER_RENAMED, detail)
    if document != proposal_of(subject, key.person):
        raise Denied(SigningRefusal.PROPOSAL_ELSEWHERE, f"it proposes {document.txid}, not {subject.txid} as drafted")
    return key.person


def people_of_account(account: str, policy: SpendingPolicy) -> tuple[str, ...]:
    """As whom an account may propose: as the person of its own name, or as anybody where the policy has none."""
    people = tuple(dict.fromkeys(one.person for one in policy.approvers))
    own = tuple(person for person in people if folded(person) == folded(account))
    return own or people
