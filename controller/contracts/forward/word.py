"""What people sign for a forward: owners the deed, approvers the funding. Each signs alone; the box judges it again."""

from collections.abc import Mapping

from nacl.signing import VerifyKey

from controller.contracts.approval import owner_keys
from controller.contracts.forward.event import DeedSigned, FundingWord
from controller.contracts.forward.model import Forward
from controller.contracts.forward.refusal import ForwardRefusal
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, WireError
from shared.person import folded
from shared.wire.codec import decode, encode
from shared.wire.contract import APPROVAL_DOMAIN, Approval, SpendingPolicy
from shared.wire.envelope import Envelope
from shared.wire.forward import DEED_DOMAIN, ForwardDeed


def deed_signed(state: Forward, sealed: bytes, policy: SpendingPolicy) -> DeedSigned:
    """Denied `forward.not-owner` for another key, or for another deed than the one that waits."""
    try:
        deed, signers = unseal(DEED_DOMAIN, sealed, owner_keys(policy), ForwardDeed)
    except WireError as error:
        raise Denied(ForwardRefusal.NOT_OWNER, f"no owner of the contract signed this: {error.detail}") from error
    if deed != state.deed or len(signers) != 1:
        raise Denied(ForwardRefusal.NOT_OWNER, "sign the deed as it is shown now, each owner alone")
    return DeedSigned(state.contract_id, signers[0], sealed)


def whole_deed(state: Forward, policy: SpendingPolicy) -> bytes | None:
    """The deed with every owner's signature; None while owners are missing."""
    if len(state.deed_signatures) < policy.owners_needed:
        return None
    envelopes = [decode(sealed, Envelope) for sealed in state.deed_signatures.values()]
    found = {one.key_id: one for envelope in envelopes for one in envelope.signatures}
    signatures = tuple(found[signer] for signer in sorted(state.deed_signatures))
    return encode(Envelope(payload=encode(state.deed), signatures=signatures))


def funding_word(state: Forward, sealed: bytes, expected: Approval, policy: SpendingPolicy) -> FundingWord:
    """A person's word for exactly this funding; Denied `forward.bad-approval` says what is not right with it."""
    keys = {key_id(VerifyKey(one.public_key)): one for one in policy.approvers}
    trusted: Mapping[str, VerifyKey] = {name: VerifyKey(one.public_key) for name, one in keys.items()}
    try:
        word, signers = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
    except WireError as error:
        raise Denied(ForwardRefusal.BAD_APPROVAL, f"nobody of the policy signed this: {error.detail}") from error
    person = keys[signers[0]].person
    same = (word.contract_id, word.network, word.policy_version, word.txid, word.external_sat, word.expiry_height)
    wanted = (
        expected.contract_id,
        expected.network,
        expected.policy_version,
        expected.txid,
        expected.external_sat,
        expected.expiry_height,
    )
    if same != wanted or len(signers) != 1:
        raise Denied(ForwardRefusal.BAD_APPROVAL, f"{person} signed something else than this funding")
    if word.role == "proposer":
        _check(word.initiator == person, f"{person} proposes in the name of {word.initiator}")
        return FundingWord(state.contract_id, person, word.role, sealed)
    _check(state.proposal is not None, "somebody has to propose it first")
    proposer = state.proposal.person if state.proposal else ""
    _check(word.initiator == proposer, f"{person} approved what {word.initiator} proposed; {proposer} did")
    _check(folded(person) != folded(proposer), "whoever proposed it cannot approve it")
    return FundingWord(state.contract_id, person, word.role, sealed)


def enough_approve(state: Forward, policy: SpendingPolicy) -> bool:
    return state.proposal is not None and len(state.approvals) >= policy.approvals_needed


def _check(fits: bool, otherwise: str) -> None:
    if not fits:
        raise Denied(ForwardRefusal.BAD_APPROVAL, otherwise)
