"""A descriptor taken apart into the scripts that spend: one for wsh(), key path and leaves for tr() (BIP-386)."""

from dataclasses import dataclass
from functools import lru_cache

from shared.bitcoin.miniscript.fragment import Context
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.parse import parse
from shared.errors import BitcoinMalformed


@dataclass(frozen=True, slots=True)
class Script:
    """`leaf` is its position depth first and `depth` its level; both are None and 0 for the script of a wsh()."""

    node: Node
    leaf: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Scripts:
    """`internal_key` is the key expression of a tr(), None for a wsh()."""

    internal_key: str | None
    scripts: tuple[Script, ...]


@lru_cache(maxsize=1_024)
def scripts_of(descriptor: str) -> Scripts:
    """From text with or without its checksum; BitcoinMalformed for anything but wsh(miniscript) and tr()."""
    text = descriptor.partition("#")[0]
    if text.startswith("wsh(") and text.endswith(")"):
        return Scripts(None, (Script(parse(text[4:-1], Context.P2WSH)),))
    if not (text.startswith("tr(") and text.endswith(")")):
        raise BitcoinMalformed(f"a contract is a wsh() or tr() descriptor, not {text[:20]!r}")
    key, comma, tree = _cut(text[3:-1])
    leaves = _leaves(tree, 0) if comma else []
    scripts = (Script(parse(leaf, Context.TAPSCRIPT), at, depth) for at, (leaf, depth) in enumerate(leaves))
    return Scripts(key, tuple(scripts))


def _leaves(tree: str, depth: int) -> list[tuple[str, int]]:
    if not tree.startswith("{"):
        return [(tree, depth)]
    left, comma, right = _cut(tree[1:-1])
    if not (comma and tree.endswith("}")):
        raise BitcoinMalformed(f"a branch of a script tree holds two: {tree[:40]!r}")
    return _leaves(left, depth + 1) + _leaves(right, depth + 1)


def _cut(text: str) -> tuple[str, str, str]:
    """At the first comma outside of all brackets."""
    nested = 0
    for place, letter in enumerate(text):
        nested += (letter in "({") - (letter in ")}")
        if letter == "," and nested == 0:
            return text[:place], ",", text[place + 1 :]
    return text, "", ""
