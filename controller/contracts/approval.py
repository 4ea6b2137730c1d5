"""Owners' signatures on a policy: each is collected alone, and together they become what boxes believe."""

from collections.abc import Iterable, Mapping

from nacl.signing import VerifyKey

from controller.contracts.model import PolicyDraft
from controller.contracts.refusal import Refusal
from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.errors import Denied, WireError
from shared.wire.codec import decode, encode
from shared.wire.contract import POLICY_DOMAIN, SpendingPolicy
from shared.wire.envelope import Envelope


def owner_keys(policy: SpendingPolicy) -> Mapping[str, VerifyKey]:
    """Key id to key of those who may sign."""
    keys = [VerifyKey(owner) for owner in policy.owners]
    return {key_id(key): key for key in keys}


def signed_by(sealed: bytes, draft: PolicyDraft, owners: SpendingPolicy) -> str:
    """The id of the one owner's key that signed exactly this draft. `owners` is the policy that names who may.

    Denied `contract.not-owner` for another key or a wrong signature, `contract.other-policy` for another document.
    """
    try:
        policy, signers = unseal(POLICY_DOMAIN, sealed, owner_keys(owners), SpendingPolicy)
    except WireError as error:
        raise Denied(Refusal.NOT_OWNER, f"no owner of the contract signed this: {error.detail}") from error
    if policy != draft.policy:
        raise Denied(Refusal.OTHER_POLICY, "what was signed is not the policy that waits; sign it as it is shown now")
    if len(signers) != 1:
        raise Denied(Refusal.NOT_OWNER, "one owner signs at a time; several keys signed this")
    return signers[0]


def merged(draft: PolicyDraft, sealed: Iterable[bytes]) -> bytes:
    """One envelope of the policy with everybody's signature."""
    signatures = {sign.key_id: sign for one in sealed for sign in decode(one, Envelope).signatures}
    ordered = tuple(signatures[signer] for signer in sorted(signatures))
    return encode(Envelope(payload=encode(draft.policy), signatures=ordered))
