"""What a token must say of a key before we rely on it (PKCS#11 2.40, section 4.9)."""

import pkcs11
from pkcs11 import Attribute

from shared.errors import KeyUnsafe

_LOCKED_IN = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
}


def require_locked_in(key: pkcs11.Object, place: str) -> None:
    """KeyUnsafe unless the key was generated in this token and can never leave it."""
    wrong = []
    for attribute, value in _LOCKED_IN.items():
        try:
            found = key[attribute]
        except pkcs11.PKCS11Error:
            found = None
        if found is not value:
            wrong.append(f"{attribute.name} is {'not told' if found is None else found}")
    if wrong:
        raise KeyUnsafe(f"{place}: {', '.join(wrong)}; generate a new key in the token and rotate to it")


def require_single(session: pkcs11.Session, template: dict[Attribute, object], place: str) -> pkcs11.Object:
    """KeyUnsafe unless exactly one object fits."""
    found = list(session.get_objects(template))
    if not found:
        raise KeyUnsafe(f"{place}: the token does not have it")
    if len(found) > 1:
        raise KeyUnsafe(f"{place}: the token has {len(found)} objects of it; remove those that are not yours")
    return found[0]


def require_unused(session: pkcs11.Session, key_id: str, label: str) -> None:
    """KeyUnsafe where any object of the token has this id or this label."""
    for attribute, value in ((Attribute.ID, bytes.fromhex(key_id)), (Attribute.LABEL, label)):
        if list(session.get_objects({attribute: value})):
            raise KeyUnsafe(f"the token has an object with {attribute.name} {value!r} already; choose another")
