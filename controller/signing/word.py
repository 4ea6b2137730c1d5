"""What a person signed about a transaction: who it was, and that it counts under the policy in force.

The boxes ask the same of the same bytes; here it is asked first, so that a mistake is told to the person who made it.
"""

from functools import lru_cache
from typing import NamedTuple

from nacl.signing import VerifyKey

from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, WireError
from shared.wire.contract import APPROVAL_DOMAIN, Approval, Approver


class Word(NamedTuple):
    """A document and the key of the policy that sealed it."""

    document: Approval
    key: Approver

    @property
    def person(self) -> str:
        return self.key.person


class WordRules(NamedTuple):
    """The ids by which a document is refused that cannot count."""

    unknown: SigningRefusal
    several: SigningRefusal
    policy: SigningRefusal
    expired: SigningRefusal


def word_of(sealed: bytes, contract: Contract, rules: WordRules) -> Word:
    """Denied unless exactly one key of the policy sealed it: of several a box would count every one."""
    keys, trusted = _trusted(contract.policy.approvers)
    try:
        document, sealed_by = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
    except WireError as error:
        raise Denied(rules.unknown, f"no key of the policy signed it: {error.detail}") from error
    if len(sealed_by) != 1:
        persons = sorted({keys[name].person for name in sealed_by})
        raise Denied(rules.several, f"one document is one key's; here {len(sealed_by)} of {', '.join(persons)}")
    return Word(document, keys[sealed_by[0]])


def check_counts(document: Approval, subject: Approval, contract: Contract, height: int, rules: WordRules) -> None:
    """Denied where it was signed under another policy, or is not in force any more at this height."""
    in_force = contract.policy.policy_version
    if document.policy_version != subject.policy_version or document.policy_version != in_force:
        raise Denied(rules.policy, f"signed under policy {document.policy_version}; in force is {in_force}")
    if document.expiry_height != subject.expiry_height or height >= document.expiry_height:
        raise Denied(rules.expired, f"void from block {document.expiry_height}; it is {height} now")


@lru_cache(maxsize=64)
def _trusted(approvers: tuple[Approver, ...]) -> tuple[dict[str, Approver], dict[str, VerifyKey]]:
    keys = {VerifyKey(one.public_key): one for one in approvers}
    return {key_id(key): one for key, one in keys.items()}, {key_id(key): key for key in keys}
