"""Whether what a person signed is a yes to this transaction.

The boxes ask the same of the same bytes; here it is asked first, so that a mistake is told to the person who made it.
"""

from functools import lru_cache

from nacl.signing import VerifyKey

from controller.signing.event import SpendingProposed
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, WireError
from shared.wire.contract import APPROVAL_DOMAIN, Approval, ApprovalRole, Approver, SpendingPath


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


def role_for(path: SpendingPath) -> ApprovalRole:
    """A recovery is approved by the people of the recovery, everything else by approvers."""
    return "recovery" if path.role == "recovery" else "approver"


def approver_of(sealed: bytes, wanted: Approval, contract: Contract, height: int) -> Approver:
    """The person whose yes this is; Denied by name where it is none."""
    keys, trusted = _trusted(contract.policy.approvers)
    try:
        approval, signed_by = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
    except WireError as error:
        raise Denied(SigningRefusal.APPROVER_UNKNOWN, f"not signed by an approver of the policy: {error}") from error
    if len(signed_by) != 1:  # a box counts every key, and refuses the person who comes twice
        persons = sorted({keys[name].person for name in signed_by})
        raise Denied(
            SigningRefusal.APPROVER_TWICE, f"one approval is one key's; here {len(signed_by)} of {', '.join(persons)}"
        )
    approver = keys[signed_by[0]]
    if approval.policy_version != wanted.policy_version or approval.policy_version != contract.policy.policy_version:
        raise Denied(
            SigningRefusal.APPROVAL_POLICY,
            f"signed under policy {approval.policy_version}; in force is {contract.policy.policy_version}",
        )
    if approval.expiry_height != wanted.expiry_height or height >= approval.expiry_height:
        raise Denied(SigningRefusal.APPROVAL_EXPIRED, f"void from block {approval.expiry_height}; it is {height} now")
    if approval.role != wanted.role or approver.role != wanted.role:
        raise Denied(SigningRefusal.APPROVAL_ROLE, f"this path is approved in the role {wanted.role!r}")
    if wanted.role == "recovery" and approver.person not in contract.policy.recovery_role_people:
        raise Denied(SigningRefusal.APPROVAL_ROLE, f"{approver.person} is not of the people who may recover")
    if approval.initiator != wanted.initiator or folded(approver.person) == folded(wanted.initiator):
        raise Denied(SigningRefusal.APPROVER_PROPOSED, f"{wanted.initiator} proposed it and cannot approve it")
    if approval != wanted:
        raise Denied(SigningRefusal.APPROVAL_ELSEWHERE, f"it approves {approval.txid}, not {wanted.txid} as proposed")
    return approver


@lru_cache(maxsize=64)
def _trusted(approvers: tuple[Approver, ...]) -> tuple[dict[str, Approver], dict[str, VerifyKey]]:
    keys = {VerifyKey(one.public_key): one for one in approvers}
    return {key_id(key): one for key, one in keys.items()}, {key_id(key): key for key in keys}


def folded(person: str) -> str:
    """A name as boxes compare it: neither case nor spaces make another person."""
    return " ".join(person.split()).casefold()
