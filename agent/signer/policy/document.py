"""What the owners sign: terms and policies are looked at once, when they come, so that no decision meets a bad one."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from nacl.signing import VerifyKey

from agent.signer.policy.ownership import check_ownership
from agent.signer.policy.ways import check_paths
from agent.signer.rule import REGISTER_OWNERS, REGISTER_POLICY, REGISTER_TERMS, REGISTER_VERSION
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import ContractError, Denied, SignatureInvalid, WireError
from shared.person import folded
from shared.wire.contract import POLICY_DOMAIN, ContractTerms, SpendingPath, SpendingPolicy

T = TypeVar("T", bound=msgspec.Struct)


def sealed_by_owners(domain: bytes, sealed: bytes, owners: Sequence[VerifyKey], needed: int, kind: type[T]) -> T:
    """What `needed` of the owners signed; `register.owners` where fewer did, `register.policy` where it cannot be read
    to the end.
    """
    trusted = {key_id(owner): owner for owner in owners}
    try:
        document, signed_by = unseal(domain, sealed, trusted, kind)
    except SignatureInvalid as error:
        raise Denied(REGISTER_OWNERS, error.detail) from error
    except WireError as error:
        raise Denied(REGISTER_POLICY, error.detail) from error
    if len(signed_by) < needed:
        raise Denied(REGISTER_OWNERS, f"{len(signed_by)} of the owners signed, {needed} have to")
    return document


def signed_policy(sealed: bytes, owners: Sequence[VerifyKey], needed: int) -> SpendingPolicy:
    return sealed_by_owners(POLICY_DOMAIN, sealed, owners, needed, SpendingPolicy)


def descriptor_of(terms: ContractTerms, network: str) -> Descriptor:
    """`register.terms` where the descriptor is not sane, not canonical, or of another network than the box's."""
    if terms.network != network:
        raise Denied(REGISTER_TERMS, f"the contract is for {terms.network}, this box signs on {network}")
    try:
        descriptor = Descriptor.parse(terms.descriptor, Network(network))
    except ContractError as error:
        raise Denied(REGISTER_TERMS, error.detail) from error
    if descriptor.checksum_text != terms.descriptor:
        raise Denied(REGISTER_TERMS, f"the canonical form of the descriptor is {descriptor.checksum_text}")
    return descriptor


def check_terms(terms: ContractTerms, descriptor: Descriptor) -> None:
    """`register.terms` where parties and paths are not those of the descriptor."""
    names = [party.name for party in terms.parties]
    _require_distinct(REGISTER_TERMS, "party", names)
    _require_distinct(REGISTER_TERMS, "path", [path.name for path in terms.paths])
    if not terms.paths:
        raise Denied(REGISTER_TERMS, "a contract without paths")
    check_ownership(terms, descriptor)
    leaves = len(descriptor.derive(0, 0).leaves)
    for path in terms.paths:
        _check_path(path, set(names), leaves)
    check_paths(descriptor, terms.parties, terms.paths)


def check_policy(policy: SpendingPolicy, contract_id: str, version: int, network: Network) -> None:
    """`register.version` where it is not the next one, `register.policy` where it could never be kept."""
    if policy.policy_version != version:
        raise Denied(REGISTER_VERSION, f"policy {policy.policy_version} came, the next one is {version}")
    if policy.contract_id != contract_id:
        raise Denied(REGISTER_POLICY, f"it is a policy for contract {policy.contract_id[:12]}")
    _require_distinct(REGISTER_POLICY, "approver's key", [each.public_key.hex() for each in policy.approvers])
    _require_distinct(REGISTER_POLICY, "owner", [each.hex() for each in policy.owners])
    _require_distinct(REGISTER_POLICY, "witness", [each.hex() for each in policy.witnesses])
    _require_distinct(REGISTER_POLICY, "address", [each.address for each in policy.allow_list])
    _check_people(policy)
    _require_enough("owners", len(policy.owners), policy.owners_needed)
    _require_enough("witnesses", len(policy.witnesses), policy.witnesses_needed)
    strangers = set(policy.recovery_role_people) - {each.person for each in policy.approvers if each.role == "recovery"}
    if strangers:
        raise Denied(REGISTER_POLICY, f"{min(strangers)} may recover, but has no key of the recovery role")
    try:
        for destination in policy.allow_list:
            script_of(destination.address, network)
    except ContractError as error:
        raise Denied(REGISTER_POLICY, error.detail) from error


def _check_people(policy: SpendingPolicy) -> None:
    """Enough people approve whoever proposes; spellings of one name are one person."""
    people = {folded(each.person) for each in policy.approvers}
    approvers = {folded(each.person) for each in policy.approvers if each.role == "approver"}
    if "" in people:
        raise Denied(REGISTER_POLICY, "a key belongs to a person without a name that can be read")
    _require_enough("approvers", len(approvers), policy.approvals_needed)
    if people == approvers and len(approvers) == policy.approvals_needed:
        raise Denied(
            REGISTER_POLICY, f"all {len(approvers)} people have to approve, so nobody could propose; name a proposer"
        )


def _check_path(path: SpendingPath, names: set[str], leaves: int) -> None:
    if not set(path.keys) <= names or len(set(path.keys)) != len(path.keys) or path.needed > len(path.keys):
        raise Denied(REGISTER_TERMS, f"path {path.name!r} asks for {path.needed} of {', '.join(path.keys) or 'nobody'}")
    if path.leaf is not None and path.leaf >= leaves:
        raise Denied(REGISTER_TERMS, f"path {path.name!r} names leaf {path.leaf} of {leaves}")


def _require_distinct(rule: str, what: str, found: Iterable[str]) -> None:
    seen: set[str] = set()
    for each in found:
        if each in seen:
            raise Denied(rule, f"the {what} {each} stands there twice")
        seen.add(each)


def _require_enough(what: str, found: int, needed: int) -> None:
    if found < needed:
        raise Denied(REGISTER_POLICY, f"it needs {needed} {what} and names {found}")
