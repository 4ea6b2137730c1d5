"""A tree to its one canonical text: sugar wherever it applies, wrappers joined."""

from shared.bitcoin.miniscript.fragment import (
    DIGEST_SIZES,
    KEY_FRAGMENTS,
    LOCKS,
    MULTISIGS,
    WRAPPERS,
    Fragment,
)
from shared.bitcoin.miniscript.node import Node

_SUGAR = {Fragment.PK_K: "pk", Fragment.PK_H: "pkh"}


def to_text(node: Node) -> str:
    """Parses back to an equal tree."""
    wrappers = ""
    while (step := _wrapper(node)) is not None:
        letter, node = step
        wrappers += letter
    return f"{wrappers}:{_plain(node)}" if wrappers else _plain(node)


def _wrapper(node: Node) -> tuple[str, Node] | None:
    """The outermost wrapper and what it wraps; None for a fragment with brackets of its own."""
    match node.fragment, node.subs:
        case Fragment.C, (sub,) if sub.fragment in _SUGAR:
            return None
        case fragment, (sub,) if fragment in WRAPPERS:
            return fragment.value, sub
        case Fragment.AND_V, (sub, end) if end.fragment is Fragment.TRUE:
            return "t", sub
        case Fragment.OR_I, (start, sub) if start.fragment is Fragment.FALSE:
            return "l", sub
        case Fragment.OR_I, (sub, end) if end.fragment is Fragment.FALSE:
            return "u", sub
        case _:
            return None


def _plain(node: Node) -> str:
    fragment = node.fragment
    if fragment is Fragment.C:
        return f"{_SUGAR[node.subs[0].fragment]}({node.subs[0].keys[0]})"
    if fragment in KEY_FRAGMENTS:
        return f"{fragment}({node.keys[0]})"
    if fragment in LOCKS:
        return f"{fragment}({node.number})"
    if fragment in DIGEST_SIZES:
        return f"{fragment}({node.digest.hex()})"
    if fragment in MULTISIGS:
        return f"{fragment}({','.join((str(node.number), *node.keys))})"
    if fragment is Fragment.ANDOR and node.subs[2].fragment is Fragment.FALSE:
        return f"and_n({to_text(node.subs[0])},{to_text(node.subs[1])})"
    arguments = [to_text(sub) for sub in node.subs]
    if fragment is Fragment.THRESH:
        arguments.insert(0, str(node.number))
    return f"{fragment}({','.join(arguments)})" if arguments else fragment.value
