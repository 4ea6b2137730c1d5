"""The keys as a descriptor writes them (BIP-380, 389 and 390)."""

import re
from typing import Final, NamedTuple

from shared.bitcoin.key_origin import HARDENED, KeyOrigin

_TOKEN: Final = re.compile(r"(?P<function>[a-z0-9_:]*)\(|(?P<word>[^(){},]+)|[){},]")
_KEY: Final = re.compile(
    r"(?:\[(?P<origin>[0-9a-f]{8}(?:/\d+h?)*)\])?"
    r"(?P<key>[0-9a-fA-F]{64}|[0-9a-fA-F]{66}|[0-9a-fA-F]{130}|[a-zA-Z]pub[1-9A-HJ-NP-Za-km-z]+)"
    r"(?P<path>(?:/[^/]+)*)"
)
_DIGESTS: Final = ("sha256", "hash256")  # their argument looks like an x-only key


class KeyExpression(NamedTuple):
    """`text` as it stands in the descriptor, `key` without origin and path; `in_musig` for a participant."""

    text: str
    key: str
    origin: KeyOrigin | None
    path: str
    in_musig: bool

    @property
    def is_ranged(self) -> bool:
        return self.path.endswith("/*")


def keys_of(text: str) -> tuple[KeyExpression, ...]:
    """All keys of a descriptor's text from left to right, participants of a musig() one by one."""
    functions: list[str] = []
    found = []
    for token in _TOKEN.finditer(text):
        if token["function"] is not None:
            functions.append(token["function"].rpartition(":")[2])
        elif token[0] == ")":
            functions.pop()
        elif token["word"] and (match := _KEY.fullmatch(token["word"])) and functions[-1] not in _DIGESTS:
            origin = _origin(match["origin"]) if match["origin"] else None
            found.append(
                KeyExpression(token["word"], match["key"], origin, match["path"], in_musig="musig" in functions)
            )
    return tuple(found)


def _origin(text: str) -> KeyOrigin:
    fingerprint, *steps = text.split("/")
    path = (int(step.removesuffix("h")) + (HARDENED if step.endswith("h") else 0) for step in steps)
    return KeyOrigin(bytes.fromhex(fingerprint), tuple(path))
