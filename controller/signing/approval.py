"""Whether what a person signed is a yes to this transaction."""

from controller.signing.event import SpendingProposed
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from controller.signing.word import WordRules, check_counts, word_of
from shared.errors import Denied
from shared.person import folded
from shared.wire.contract import Approval, Approver, KeyRole, SpendingPath

_RULES = WordRules(
    SigningRefusal.APPROVER_UNKNOWN,
    SigningRefusal.APPROVER_TWICE,
    SigningRefusal.APPROVAL_POLICY,
    SigningRefusal.APPROVAL_EXPIRED,
)


def path_of(contract: Contract, name: str) -> SpendingPath:
    """A path of a contract by its name; Denied where it has none."""
    for path in contract.terms.paths:
        if path.name == name:
            return path
    known = ", ".join(path.name for path in contract.terms.paths)
    raise Denied(SigningRefusal.UNKNOWN_PATH, f"{contract.terms.name} has no path {name!r}; there are {known}")


def wanted_approval(proposal: SpendingProposed, contract: Contract, initiator: str) -> Approval:
    """What every approver of this proposal signs."""
    return Approval(
        contract_id=proposal.contract_id,
        network=contract.terms.network,
        policy_version=proposal.policy_version,
        txid=proposal.txid,
        external_sat=proposal.external_sat,
        expiry_height=proposal.expiry_height,
        role=role_for(path_of(contract, proposal.path)),
        initiator=initiator,
    )


def role_for(path: SpendingPath) -> KeyRole:
    """A recovery is approved by the people of the recovery, everything else by approvers."""
    return "recovery" if path.role == "recovery" else "approver"


def approver_of(sealed: bytes, wanted: Approval, contract: Contract, height: int) -> Approver:
    """The person whose yes this is; Denied by name where it is none."""
    approval, approver = word_of(sealed, contract, _RULES)
    check_counts(approval, wanted, contract, height, _RULES)
    if approval.role != wanted.role or approver.role != wanted.role:
        raise Denied(SigningRefusal.APPROVAL_ROLE, f"this path is approved in the role {wanted.role!r}")
    if wanted.role == "recovery" and approver.person not in contract.policy.recovery_role_people:
        raise Denied(SigningRefusal.APPROVAL_ROLE, f"{approver.person} is not of the people who may recover")
    if approval.initiator != wanted.initiator or folded(approver.person) == folded(wanted.initiator):
        raise Denied(SigningRefusal.APPROVER_PROPOSED, f"{wanted.initiator} proposed it and cannot approve it")
    if approval != wanted:
        raise Denied(SigningRefusal.APPROVAL_ELSEWHERE, f"it approves {approval.txid}, not {wanted.txid} as proposed")
    return approver
