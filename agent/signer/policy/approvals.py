"""Who said yes to exactly this transaction. People count, not keys, and whoever proposed it does not count at all."""

from collections.abc import Sequence
from typing import NamedTuple

from nacl.signing import VerifyKey

from agent.signer.policy.case import Case
from agent.signer.rule import (
    APPROVAL_DUPLICATE,
    APPROVAL_EXPIRED,
    APPROVAL_INITIATOR,
    APPROVAL_MISSING,
    APPROVAL_OTHER_TX,
    APPROVAL_POLICY_VERSION,
)
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, WireError
from shared.wire.contract import APPROVAL_DOMAIN, Approval, ApprovalRole, Approver


class Given(NamedTuple):
    """An approval and the key of the policy that signed it."""

    approval: Approval
    approver: Approver


def required_role(case: Case) -> ApprovalRole:
    return "recovery" if case.path.role == "recovery" else "approver"


def recovery_was_called(case: Case) -> bool:
    """Did anybody of the recovery role approve as such?"""
    return any(_may_recover(case, given) for given in _given(case))


def enough_people_approve(case: Case) -> None:
    """The approvals that came along must all be good: a doubtful one is a sign of something wrong, not of nothing."""
    given = _given(case)
    for each in given:
        _check_binding(case, each.approval)
        _check_role(case, each)
    _check_persons(given)
    needed = case.accepted.policy.approvals_needed
    if len(given) < needed:
        raise Denied(APPROVAL_MISSING, f"{len(given)} of {needed} people approved")


def _given(case: Case) -> list[Given]:
    keys = {VerifyKey(each.public_key): each for each in case.accepted.policy.approvers}
    trusted = {key_id(key): key for key in keys}
    approvers = {key_id(key): approver for key, approver in keys.items()}
    given = []
    for number, sealed in enumerate(case.request.approvals, 1):
        try:
            approval, signed_by = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
        except WireError as error:
            raise Denied(APPROVAL_MISSING, f"approval {number} counts for nothing: {error.detail}") from error
        given += [Given(approval, approvers[signer]) for signer in signed_by]
    return given


def _check_binding(case: Case, approval: Approval) -> None:
    version = case.accepted.policy.policy_version
    bound = (approval.network, approval.contract_id, approval.txid, approval.external_sat)
    if bound != (case.contract.terms.network, case.contract.id, case.tx.txid, case.external_sat):
        raise Denied(
            APPROVAL_OTHER_TX,
            f"an approval is for {approval.external_sat} sat by transaction {approval.txid[:12]} of contract "
            f"{approval.contract_id[:12]} on {approval.network}",
        )
    if approval.policy_version != version:
        raise Denied(
            APPROVAL_POLICY_VERSION, f"an approval is under policy {approval.policy_version}; {version} is in force"
        )
    if case.height >= approval.expiry_height:
        raise Denied(APPROVAL_EXPIRED, f"an approval is void from height {approval.expiry_height}, it is {case.height}")


def _check_role(case: Case, given: Given) -> None:
    role = required_role(case)
    fits = _may_recover(case, given) if role == "recovery" else given.approver.role == given.approval.role == role
    if not fits:
        raise Denied(
            APPROVAL_MISSING, f"{given.approver.person} approved as {given.approval.role}; the path asks for {role}"
        )


def _may_recover(case: Case, given: Given) -> bool:
    people = case.accepted.policy.recovery_role_people
    return given.approval.role == given.approver.role == "recovery" and given.approver.person in people


def _check_persons(given: Sequence[Given]) -> None:
    persons = [_folded(each.approver.person) for each in given]
    if len(set(persons)) != len(persons):
        raise Denied(APPROVAL_DUPLICATE, "one person approved twice")
    initiators = {_folded(each.approval.initiator) for each in given}
    if len(initiators) > 1:
        raise Denied(APPROVAL_INITIATOR, "the approvals name different people as the one who proposed")
    if initiators & set(persons):
        raise Denied(APPROVAL_INITIATOR, "whoever proposed a payment cannot approve it")


def _folded(person: str) -> str:
    return " ".join(person.split()).casefold()
