"""Text of a miniscript to its tree. Sugar is resolved; nothing is guessed: one way to write each number and digest."""

import re

from shared.bitcoin.miniscript.fragment import (
    DIGEST_SIZES,
    KEY_FRAGMENTS,
    LOCKS,
    MULTISIGS,
    SUB_COUNTS,
    WRAPPERS,
    Context,
    Fragment,
)
from shared.bitcoin.miniscript.node import MAX_DEPTH, Node
from shared.errors import BitcoinMalformed

MAX_TEXT = 100_000
_WORD = re.compile(r"(?:([a-z]+):)?([a-z0-9_]+)")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_KEY = re.compile(r"[!-~]+")
_FRAGMENTS = {fragment.value: fragment for fragment in Fragment if fragment not in WRAPPERS}
_SUGAR = {"pk": Fragment.PK_K, "pkh": Fragment.PK_H}


def parse(expression: str, context: Context) -> Node:
    """A typed tree of any basic type; sanity is another question. BitcoinMalformed names the place."""
    if len(expression) > MAX_TEXT:
        raise BitcoinMalformed(f"the expression has {len(expression)} characters, at most {MAX_TEXT} are read")
    reader = _Reader(expression, context)
    node = reader.expression(0)
    if reader.place != len(expression):
        raise reader.fault("nothing may follow the expression")
    return node


class _Reader:
    def __init__(self, text: str, context: Context) -> None:
        self._text = text
        self._context = context
        self.place = 0

    def fault(self, what: str) -> BitcoinMalformed:
        return BitcoinMalformed(f"miniscript, character {self.place + 1}: {what}")

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fault(f"nested deeper than {MAX_DEPTH} expressions")
        word = _WORD.match(self._text, self.place)
        if word is None:
            raise self.fault("an expression is expected")
        wrappers, name = word.groups()
        self.place = word.end()
        node = self._fragment(name, depth)
        for letter in reversed(wrappers or ""):
            node = self._wrap(letter, node)
        return node

    def _wrap(self, letter: str, node: Node) -> Node:
        match letter:
            case "t":
                return self._node(Fragment.AND_V, subs=(node, self._node(Fragment.TRUE)))
            case "l":
                return self._node(Fragment.OR_I, subs=(self._node(Fragment.FALSE), node))
            case "u":
                return self._node(Fragment.OR_I, subs=(node, self._node(Fragment.FALSE)))
            case "a" | "s" | "c" | "d" | "v" | "j" | "n":
                return self._node(Fragment(letter), subs=(node,))
            case _:
                raise self.fault(f"there is no wrapper {letter}:")

    def _fragment(self, name: str, depth: int) -> Node:
        if name in ("0", "1"):
            return self._node(Fragment(name))
        if name in _SUGAR:
            return self._node(Fragment.C, subs=(self._node(_SUGAR[name], keys=self._keys(first="(")),))
        if name == "and_n":
            first, second = self._subs(2, depth)
            return self._node(Fragment.ANDOR, subs=(first, second, self._node(Fragment.FALSE)))
        fragment = _FRAGMENTS.get(name)
        if fragment is None:
            raise self.fault(f"there is no fragment {name}")
        if fragment in SUB_COUNTS:
            return self._node(fragment, subs=self._subs(SUB_COUNTS[fragment], depth))
        return self._leaf(fragment, depth)

    def _leaf(self, fragment: Fragment, depth: int) -> Node:
        if fragment in KEY_FRAGMENTS:
            return self._node(fragment, keys=self._keys(first="("))
        if fragment in MULTISIGS:
            self._take("(")
            return self._node(fragment, number=self._number(), keys=self._keys(first=","))
        if fragment is Fragment.THRESH:
            self._take("(")
            number = self._number()
            return self._node(fragment, number=number, subs=self._more(depth))
        self._take("(")
        node = self._node(fragment, number=self._number()) if fragment in LOCKS else self._hash(fragment)
        self._take(")")
        return node

    def _hash(self, fragment: Fragment) -> Node:
        digits = 2 * DIGEST_SIZES[fragment]
        written = self._text[self.place : self.place + digits]
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", written):
            raise self.fault(f"{fragment} takes {digits} lower-case hexadecimal digits")
        self.place += digits
        return self._node(fragment, digest=bytes.fromhex(written))

    def _subs(self, count: int, depth: int) -> tuple[Node, ...]:
        self._take("(")
        subs = [self.expression(depth + 1)]
        while len(subs) < count:
            self._take(",")
            subs.append(self.expression(depth + 1))
        self._take(")")
        return tuple(subs)

    def _more(self, depth: int) -> tuple[Node, ...]:
        subs: list[Node] = []
        while not subs or self._text.startswith(",", self.place):
            self._take(",")
            subs.append(self.expression(depth + 1))
        self._take(")")
        return tuple(subs)

    def _keys(self, first: str) -> tuple[str, ...]:
        self._take(first)
        keys = [self._key()]
        while self._text.startswith(",", self.place):
            self._take(",")
            keys.append(self._key())
        self._take(")")
        return tuple(keys)

    def _key(self) -> str:
        """A key expression as it stands, up to the comma or bracket behind it; musig() holds commas of its own."""
        start = self.place
        nested = 0
        while self.place < len(self._text):
            letter = self._text[self.place]
            if nested == 0 and letter in ",)":
                break
            nested += (letter == "(") - (letter == ")")
            self.place += 1
        key = self._text[start : self.place]
        if not _KEY.fullmatch(key):
            raise self.fault("a key is expected")
        return key

    def _number(self) -> int:
        written = _NUMBER.match(self._text, self.place)
        if written is None:
            raise self.fault("a whole number without leading zeros is expected")
        self.place = written.end()
        return int(written.group())

    def _take(self, letter: str) -> None:
        if not self._text.startswith(letter, self.place):
            raise self.fault(f"{letter!r} is expected")
        self.place += 1

    def _node(
        self,
        fragment: Fragment,
        *,
        subs: tuple[Node, ...] = (),
        keys: tuple[str, ...] = (),
        number: int = 0,
        digest: bytes = b"",
    ) -> Node:
        try:
            return Node(fragment, self._context, subs, keys, number, digest)
        except BitcoinMalformed as error:
            raise self.fault(error.detail) from error
