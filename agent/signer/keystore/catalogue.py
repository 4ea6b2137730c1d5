"""What a token holds, read in one pass: to look for each key by itself takes a token of 300 keys most of a minute."""

from collections import defaultdict

import pkcs11
from pkcs11 import Attribute, ObjectClass

from shared.errors import KeyUnsafe

_NAMED_BY = (Attribute.ID, Attribute.LABEL)


class Catalogue:
    """The key objects of a token, by id and by label within their class."""

    def __init__(self, session: pkcs11.Session) -> None:
        self._named: dict[tuple[ObjectClass, Attribute, object], list[pkcs11.Object]] = defaultdict(list)
        for kind in (ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY):
            for found in list(session.get_objects({Attribute.CLASS: kind})):
                for attribute in _NAMED_BY:
                    self._named[kind, attribute, _plain(found[attribute])].append(found)

    def single(self, kind: ObjectClass, key_id: str) -> pkcs11.Object:
        """KeyUnsafe unless exactly one object of this class has the id, and no other one its label."""
        found = self._only(kind, Attribute.ID, bytes.fromhex(key_id), f"key {key_id}")
        label = found[Attribute.LABEL]
        self._only(kind, Attribute.LABEL, _plain(label), f"key {key_id}, label {label!r}")
        return found

    def _only(self, kind: ObjectClass, attribute: Attribute, value: object, place: str) -> pkcs11.Object:
        found = self._named.get((kind, attribute, value), [])
        if not found:
            raise KeyUnsafe(f"{place}: the token does not have it")
        if len(found) > 1:
            raise KeyUnsafe(f"{place}: the token has {len(found)} objects of it; remove those that are not yours")
        return found[0]


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, bytearray) else value
