"""A contract from its rows, looked at as if it came today: what an earlier release let pass is not signed for."""

from collections.abc import Sequence

from agent.signer.ledger import Entry
from agent.signer.policy.contract import Contract
from agent.signer.policy.document import check_policy, check_terms, descriptor_of
from agent.signer.rule import CONTRACT_UNFIT
from shared.errors import Denied, WireError
from shared.wire.codec import decode
from shared.wire.contract import ContractTerms, SpendingPolicy
from shared.wire.envelope import Envelope


def stored_contract(terms_row: Entry, policy_rows: Sequence[Entry], network: str) -> Contract:
    """`contract.unfit` names what does not pass. The owners' seals were opened when the rows were written, and the
    ledger's chain has kept them since: the owners of then may be others than those of today.
    """
    subject = str(terms_row.subject)
    try:
        terms = decode(terms_row.body, ContractTerms)
        contract = new_contract(subject, terms, network)
        for version, row in enumerate(policy_rows, 1):
            policy = policy_of(row)
            check_policy(policy, subject, version, contract.network)
            contract = contract.with_policy(policy, row.height)
    except Denied as error:
        raise Denied(CONTRACT_UNFIT, _words(subject, f"{error.detail} ({error.rule})")) from error
    except WireError as error:
        raise Denied(CONTRACT_UNFIT, _words(subject, error.detail)) from error
    return contract


def new_contract(subject: str, terms: ContractTerms, network: str) -> Contract:
    """The contract before its first policy; `register.terms` where its terms are not sane."""
    contract = Contract(subject, terms, descriptor_of(terms, network), ())
    check_terms(terms, contract.descriptor)
    return contract


def policy_of(row: Entry) -> SpendingPolicy:
    return decode(decode(row.body, Envelope).payload, SpendingPolicy)


def _words(subject: str, why: str) -> str:
    return f"contract {subject[:12]} was registered and does not pass the checks of this release: {why}"
