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
from shared.bitcoin.miniscript.reader import Reader
from shared.errors import BitcoinMalformed

_WORD = re.compile(r"(?:([a-z]+):)?([a-z0-9_]+)")
_FRAGMENTS = {fragment.value: fragment for fragment in Fragment if fragment not in WRAPPERS}
_SUGAR = {"pk": Fragment.PK_K, "pkh": Fragment.PK_H}


def parse(expression: str, context: Context) -> Node:
    """A typed tree of any basic type; sanity is another question. BitcoinMalformed names the place."""
    reader = _MiniscriptReader(expression, context)
    node = reader.expression(0)
    reader.end()
    return node


class _MiniscriptReader(Reader):
    def __init__(self, text: str, context: Context) -> None:
        super().__init__(text, "miniscript")
        self._context = context

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fault(f"nested deeper than {MAX_DEPTH} expressions")
        word = self.match(_WORD)
        if word is None:
            raise self.fault("an expression is expected")
        wrappers, name = word.groups()
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
        self.take("(")
        if fragment in MULTISIGS:
            return self._node(fragment, number=self.number(), keys=self._keys(first=","))
        if fragment is Fragment.THRESH:
            return self._node(fragment, number=self.number(), subs=self._more(depth))
        if fragment in LOCKS:
            node = self._node(fragment, number=self.number())
        else:
            node = self._node(fragment, digest=self.digest(DIGEST_SIZES[fragment]))
        self.take(")")
        return node

    def _subs(self, count: int, depth: int) -> tuple[Node, ...]:
        self.take("(")
        subs = [self.expression(depth + 1)]
        while len(subs) < count:
            self.take(",")
            subs.append(self.expression(depth + 1))
        self.take(")")
        return tuple(subs)

    def _more(self, depth: int) -> tuple[Node, ...]:
        subs: list[Node] = []
        while not subs or self.sees(","):
            self.take(",")
            subs.append(self.expression(depth + 1))
        self.take(")")
        return tuple(subs)

    def _keys(self, first: str) -> tuple[str, ...]:
        self.take(first)
        keys = [self.key()]
        while self.sees(","):
            self.take(",")
            keys.append(self.key())
        self.take(")")
        return tuple(keys)

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
