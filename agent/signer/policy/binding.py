"""What a person said is about this transaction, under this policy, and in time."""

from typing import NamedTuple

from agent.signer.policy.case import Case
from shared.errors import Denied
from shared.word import Word


class Binding(NamedTuple):
    """The rules by which a document about something else is refused."""

    other_tx: str
    policy_version: str
    expired: str


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
