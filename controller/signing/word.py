"""What a person signed about a transaction: who it was, and that it counts under the policy in force.

The boxes ask the same of the same bytes; here it is asked first, so that a mistake is told to the person who made it.
"""

from typing import NamedTuple

from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.errors import Denied, WireError
from shared.wire.contract import Approval
from shared.word import Word, words_in


class WordRules(NamedTuple):
    """The ids by which a document is refused that cannot count."""

    unknown: SigningRefusal
    several: SigningRefusal
    policy: SigningRefusal
    expired: SigningRefusal


def word_of(sealed: bytes, contract: Contract, rules: WordRules) -> Word:
    """Denied unless exactly one key of the policy sealed it: of several a box would count every one."""
    try:
        word, *others = words_in(contract.policy.approvers, sealed)
    except WireError as error:
        raise Denied(rules.unknown, f"no key of the policy signed it: {error.detail}") from error
    if others:
        persons = sorted({one.person for one in (word, *others)})
        raise Denied(rules.several, f"one document is one key's; here {1 + len(others)} of {', '.join(persons)}")
    return word


def check_counts(document: Approval, subject: Approval, contract: Contract, height: int, rules: WordRules) -> None:
    """Denied where it was signed under another policy, or is not in force any more at this height."""
    in_force = contract.policy.policy_version
    if document.policy_version != subject.policy_version or document.policy_version != in_force:
        raise Denied(rules.policy, f"signed under policy {document.policy_version}; in force is {in_force}")
    if document.expiry_height != subject.expiry_height or height >= document.expiry_height:
        raise Denied(rules.expired, f"void from block {document.expiry_height}; it is {height} now")
