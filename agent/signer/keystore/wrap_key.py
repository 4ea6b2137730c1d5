"""An AES key that never leaves the token and wraps the secrets of keys that the token cannot use itself."""

import secrets
from typing import Protocol, cast

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11 import exceptions as faults

from agent.signer.keystore.attributes import require_locked_in, require_single, require_unused
from agent.signer.keystore.token import Token
from shared.errors import KeyUnsafe

_IV_BYTES = 12
_TAG_BITS = 128
_KEY_BITS = 256
# What modules say of a tag that does not fit; SoftHSM2 says GeneralError.
_NOT_THIS = (
    faults.EncryptedDataInvalid,
    faults.EncryptedDataLenRange,
    faults.GeneralError,
    faults.FunctionFailed,
    faults.DataInvalid,
    faults.MechanismParamInvalid,
)


class WrapKey:
    """AES-256-GCM by the token. `associated` is bound to the secret: with another one it does not open."""

    def __init__(self, token: Token, key_id: str) -> None:
        self._token = token
        self._key_id = key_id
        self._handle: _Cipher | None = None
        self._session = -1

    def generate(self, label: str) -> None:
        """Make the key in the token. KeyUnsafe where its id is taken or the token would let it out."""
        self._token.run(lambda session: _generate(session, self._key_id, label))
        self.open()

    def open(self) -> None:
        """KeyUnsafe where the key is absent, there twice, or could leave the token."""
        self._token.run(self._found)

    def wrap(self, secret: bytes | bytearray, associated: bytes) -> bytes:
        """A fresh initialisation vector, the ciphertext and the tag."""
        iv = secrets.token_bytes(_IV_BYTES)
        parameters = GCMParams(iv, associated, _TAG_BITS)
        sealed: bytes = self._token.run(
            lambda session: self._found(session).encrypt(
                bytes(secret), mechanism=Mechanism.AES_GCM, mechanism_param=parameters
            )
        )
        return iv + sealed

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytearray:
        """The secret, for the caller to wipe. KeyUnsafe where a byte of either argument is not as it was wrapped."""
        parameters = GCMParams(wrapped[:_IV_BYTES], associated, _TAG_BITS)

        def decrypt(session: pkcs11.Session) -> bytearray | None:
            key = self._found(session)
            try:
                return bytearray(
                    key.decrypt(wrapped[_IV_BYTES:], mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
                )
            except _NOT_THIS:
                return None

        secret = self._token.run(decrypt)
        if secret is None:
            raise KeyUnsafe("a wrapped key does not open: it was changed, or wrapped for another purpose or token")
        return secret

    def _found(self, session: pkcs11.Session) -> "_Cipher":
        if self._handle is None or self._session != self._token.sessions:
            self._handle, self._session = _verified(session, self._key_id), self._token.sessions
        return self._handle


class _Cipher(Protocol):
    """A secret key's handle, as far as it is used here."""

    def encrypt(self, data: bytes, *, mechanism: Mechanism, mechanism_param: GCMParams) -> bytes: ...

    def decrypt(self, data: bytes, *, mechanism: Mechanism, mechanism_param: GCMParams) -> bytes: ...


def _generate(session: pkcs11.Session, key_id: str, label: str) -> None:
    require_unused(session, key_id, label)
    key = session.generate_key(
        KeyType.AES,
        _KEY_BITS,
        store=True,
        id=bytes.fromhex(key_id),
        label=label,
        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    require_locked_in(key, f"wrapping key {key_id}")


def _verified(session: pkcs11.Session, key_id: str) -> _Cipher:
    place = f"wrapping key {key_id}"
    template = {Attribute.ID: bytes.fromhex(key_id), Attribute.CLASS: ObjectClass.SECRET_KEY}
    found = require_single(session, template, place)
    require_locked_in(found, place)
    if found[Attribute.KEY_TYPE] is not KeyType.AES or found[Attribute.VALUE_LEN] * 8 != _KEY_BITS:
        raise KeyUnsafe(f"{place} is not an AES key of {_KEY_BITS} bits")
    return cast(_Cipher, found)
