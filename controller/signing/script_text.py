"""The miniscript of each script of a descriptor, as the descriptor writes it."""

from collections.abc import Iterator
from functools import lru_cache

from shared.bitcoin.miniscript import Context, Node, parse
from shared.errors import BitcoinMalformed


@lru_cache(maxsize=1_024)
def miniscripts(descriptor: str) -> tuple[Node, ...]:
    """The script of a wsh(), or the leaves of a tr() from left to right; none where a tr() has only its key."""
    text = descriptor.partition("#")[0]
    if text.startswith("wsh("):
        return (parse(text[4:-1], Context.P2WSH),)
    if not text.startswith("tr("):
        raise BitcoinMalformed(f"a contract is a wsh() or tr() descriptor, not {text[:20]!r}")
    _, tree = _cut(text[3:-1])
    return tuple(parse(leaf, Context.TAPSCRIPT) for leaf in _leaves(tree)) if tree else ()


def _leaves(tree: str) -> Iterator[str]:
    if not tree.startswith("{"):
        yield tree
        return
    for half in _cut(tree[1:-1]):
        yield from _leaves(half)


def _cut(text: str) -> tuple[str, str]:
    """At the first comma outside of all brackets."""
    nested = 0
    for place, letter in enumerate(text):
        nested += (letter in "({") - (letter in ")}")
        if letter == "," and nested == 0:
            return text[:place], text[place + 1 :]
    return text, ""
