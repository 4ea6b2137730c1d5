"""secp256k1 keys that are born in the token and never leave it.

A key is addressed by CKA_ID and by the public key that its owner wrote down, never by label. A token signs digests of
any length, with high S as often as not, and whoever swaps a key keeps its id: nothing leaves here unless libsecp256k1
accepts it under the pinned public key.
"""

from collections.abc import Iterable

import msgspec
import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from agent.signer.keystore.attributes import require_locked_in, require_unused
from agent.signer.keystore.catalogue import Catalogue
from agent.signer.keystore.token import Token
from shared.bitcoin.signature import low_s, verify_ecdsa
from shared.errors import BitcoinMalformed, Denied, KeyUnsafe

DIGEST_BYTES = 32
_CURVE = bytes.fromhex("06052b8104000a")  # DER of OID 1.3.132.0.10, secp256k1 (SEC 2)
_POINT_HEADS = {65: b"", 67: b"\x04\x41"}  # bare, or wrapped in a DER OCTET STRING as PKCS#11 2.40 has it


class HsmKey(msgspec.Struct, frozen=True):
    """`key_id` is CKA_ID in hex, `public_key` the compressed point (33 bytes)."""

    key_id: str
    public_key: bytes


class HsmKeys:
    """The signing keys of one token. `open` before signing: only keys that were opened sign."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._pinned: dict[str, HsmKey] = {}
        self._handles: dict[str, pkcs11.SignMixin] = {}
        self._session = -1

    def generate(self, key_id: str, label: str) -> HsmKey:
        """A new pair inside the token, its attributes read back. KeyUnsafe where id or label are taken."""
        key, handle = self._token.run(lambda session: _generate(session, key_id, label))
        if self._session == self._token.sessions:
            self._pinned[key_id], self._handles[key_id] = key, handle
        else:
            self.open([*self._pinned.values(), key])
        return key

    def open(self, pinned: Iterable[HsmKey]) -> None:
        """Find these keys and make sure of them; at each start, before anything is signed.

        KeyUnsafe where one is absent, doubled by id or label, could leave the token, or has another public key.
        """
        keys = {key.key_id: key for key in pinned}
        self._handles |= self._token.run(lambda session: _verified(session, keys.values()))
        self._pinned |= keys
        self._session = self._token.sessions

    @property
    def session(self) -> int:
        """Which session of the token it is in which these keys were found; it rises when one is lost."""
        return self._session

    def touch(self) -> None:
        """The token still answers and still has these keys; TokenUnavailable, PinRefused or KeyUnsafe where not."""
        self._token.run(self._touch)

    def all_in_token(self) -> list[HsmKey]:
        """Every secp256k1 key of the token, by id; KeyUnsafe where an id or a label is there twice."""
        return self._token.run(_all)

    def sign(self, key: HsmKey, digest: bytes) -> bytes:
        """Strict DER with low S, without the sighash byte, at most 71 bytes.

        Denied `sign.selfcheck` where the digest is not 32 bytes, or what the token returned is not a signature of the
        pinned key.
        """
        if len(digest) != DIGEST_BYTES:
            raise Denied("sign.selfcheck", f"a digest of {len(digest)} bytes; only {DIGEST_BYTES} are signed")
        if self._pinned.get(key.key_id) != key:
            raise KeyUnsafe(f"key {key.key_id} was not opened with public key {key.public_key.hex()}")
        raw = self._token.run(lambda session: self._raw(session, key, digest))
        try:
            signature = low_s(raw)
        except BitcoinMalformed as error:
            raise Denied(
                "sign.selfcheck", f"key {key.key_id}: the token returned no signature: {error.detail}"
            ) from error
        if not verify_ecdsa(key.public_key, digest, signature):
            raise Denied("sign.selfcheck", f"key {key.key_id}: the token's signature is not one of this key")
        return signature

    def _raw(self, session: pkcs11.Session, key: HsmKey, digest: bytes) -> bytes:
        """The numbers r and s as the token gives them, 64 bytes."""
        return bytes(self._found(session)[key.key_id].sign(digest, mechanism=Mechanism.ECDSA))

    def _touch(self, session: pkcs11.Session) -> None:
        """A search is answered from the module's memory; what it says of an object it has to look up."""
        for handle in self._found(session).values():
            _ = handle[Attribute.ID]

    def _found(self, session: pkcs11.Session) -> dict[str, pkcs11.SignMixin]:
        """The handles of this session; found anew, and made sure of, where an earlier one was lost."""
        if self._session != self._token.sessions:
            self._handles = _verified(session, self._pinned.values())
            self._session = self._token.sessions
        return self._handles


def _generate(session: pkcs11.Session, key_id: str, label: str) -> tuple[HsmKey, pkcs11.SignMixin]:
    require_unused(session, key_id, label)
    curve = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: _CURVE}, local=True)
    public, private = curve.generate_keypair(
        store=True,
        id=bytes.fromhex(key_id),
        label=label,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    require_locked_in(private, f"key {key_id}")
    assert isinstance(private, pkcs11.SignMixin)
    return HsmKey(key_id, _compressed(public, key_id)), private


def _verified(session: pkcs11.Session, keys: Iterable[HsmKey]) -> dict[str, pkcs11.SignMixin]:
    """The handles of the private keys, by key id."""
    catalogue = Catalogue(session)
    handles = {}
    for key in keys:
        public = catalogue.single(ObjectClass.PUBLIC_KEY, key.key_id)
        private = catalogue.single(ObjectClass.PRIVATE_KEY, key.key_id)
        require_locked_in(private, f"key {key.key_id}")
        found = _compressed(public, key.key_id)
        if found != key.public_key:
            raise KeyUnsafe(
                f"key {key.key_id}: the token holds public key {found.hex()}, pinned is {key.public_key.hex()}"
            )
        assert isinstance(private, pkcs11.SignMixin)
        handles[key.key_id] = private
    return handles


def _all(session: pkcs11.Session) -> list[HsmKey]:
    template = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.KEY_TYPE: KeyType.EC}
    publics = list(session.get_objects(template))
    seen: set[tuple[str, object]] = set()
    keys = []
    for public in publics:
        key_id = bytes(public[Attribute.ID]).hex()
        for mark in (("id", key_id), ("label", public[Attribute.LABEL])):
            if mark in seen:
                raise KeyUnsafe(f"the token has two keys with {mark[0]} {mark[1]!r}; remove the one that is not yours")
            seen.add(mark)
        keys.append(HsmKey(key_id, _compressed(public, key_id)))
    return sorted(keys, key=lambda key: key.key_id)


def _compressed(public: pkcs11.Object, key_id: str) -> bytes:
    if bytes(public[Attribute.EC_PARAMS]) != _CURVE:
        raise KeyUnsafe(f"key {key_id} is not of the curve secp256k1")
    stored = bytes(public[Attribute.EC_POINT])
    head = _POINT_HEADS.get(len(stored))
    point = stored[-65:]
    if head is None or not stored.startswith(head) or point[0] != 0x04:
        raise KeyUnsafe(f"key {key_id}: the token tells its point in a form that is not known: {stored[:4].hex()}…")
    return bytes((2 + point[64] % 2,)) + point[1:33]
