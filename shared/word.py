"""What a person said about a transaction, by a key that a policy names."""

from functools import lru_cache
from typing import NamedTuple

from nacl.signing import VerifyKey

from shared.crypto.keys import key_id
from shared.crypto.signing import unseal
from shared.wire.contract import APPROVAL_DOMAIN, Approval, Approver


class Word(NamedTuple):
    """A document and a key of the policy that sealed it."""

    document: Approval
    key: Approver

    @property
    def person(self) -> str:
        return self.key.person


def words_in(approvers: tuple[Approver, ...], sealed: bytes) -> list[Word]:
    """One for each of the keys that sealed it. WireError where none did, or where it cannot be read."""
    keys, trusted = _keys(approvers)
    document, sealed_by = unseal(APPROVAL_DOMAIN, sealed, trusted, Approval)
    return [Word(document, keys[name]) for name in sealed_by]


@lru_cache(maxsize=256)
def _keys(approvers: tuple[Approver, ...]) -> tuple[dict[str, Approver], dict[str, VerifyKey]]:
    """By their ids: to whom each belongs, and the keys themselves."""
    keys = {VerifyKey(one.public_key): one for one in approvers}
    return {key_id(key): one for key, one in keys.items()}, {key_id(key): key for key in keys}
