"""What a person said about a transaction, and that it is about this one. People speak by the keys of the policy."""

from functools import lru_cache
from typing import NamedTuple

from nacl.signing import VerifyKey

from agent.signer.policy.case import Case
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied
from shared.wire.contract import APPROVAL_DOMAIN, Approval, Approver


class Word(NamedTuple):
    """A document and a key of the policy that sealed it."""

    document: Approval
    key: Approver

    @property
    def person(self) -> str:
        return self.key.person


class Binding(NamedTuple):
    """The rules by which a document about something else is refused."""

    other_tx: str
    policy_version: str
    expired: str


def words_in(case: Case, sealed: bytes) -> list[Word]:
    """One for each key of the policy that sealed it. WireError where none did, or where it cannot be read."""
    keys, trusted = _keys(case.accepted.policy.approvers)
    document, sealed_by = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
    return [Word(document, keys[name]) for name in sealed_by]


def check_binding(case: Case, word: Word, rules: Binding) -> None:
    """Denied unless it is about this transaction, its amount, contract and network, under this policy, and in time."""
    document, version = word.document, case.accepted.policy.policy_version
    bound = (document.network, document.contract_id, document.txid, document.external_sat)
    if bound != (case.contract.terms.network, case.contract.id, case.tx.txid, case.external_sat):
        raise Denied(
            rules.other_tx,
            f"{word.person} signed {document.external_sat} sat by transaction {document.txid[:12]} of contract "
            f"{document.contract_id[:12]} on {document.network}",
        )
    if document.policy_version != version:
        detail = f"{word.person} signed under policy {document.policy_version}; {version} is in force"
        raise Denied(rules.policy_version, detail)
    if case.height >= document.expiry_height:
        detail = f"what {word.person} signed is void from height {document.expiry_height}, it is {case.height}"
        raise Denied(rules.expired, detail)


@lru_cache(maxsize=256)
def _keys(approvers: tuple[Approver, ...]) -> tuple[dict[str, Approver], dict[str, VerifyKey]]:
    """By their ids: to whom each belongs, and the keys themselves."""
    keys = {VerifyKey(one.public_key): one for one in approvers}
    return {key_id(key): one for key, one in keys.items()}, {key_id(key): key for key in keys}
