"""A tree to the bytes of its script (translation table of BIP-379)."""

from collections.abc import Mapping

from shared.bitcoin.hashes import hash160
from shared.bitcoin.miniscript.fragment import DIGEST_SIZES, KEY_FRAGMENTS, LOCKS, MULTISIGS, Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.script import Op, number, push
from shared.errors import BitcoinMalformed, InsaneScript

_HASHES = {
    Fragment.SHA256: Op.SHA256,
    Fragment.HASH256: Op.HASH256,
    Fragment.RIPEMD160: Op.RIPEMD160,
    Fragment.HASH160: Op.HASH160,
}
_VERIFY_FORMS = {
    Op.EQUAL: Op.EQUALVERIFY,
    Op.CHECKSIG: Op.CHECKSIGVERIFY,
    Op.CHECKMULTISIG: Op.CHECKMULTISIGVERIFY,
    Op.NUMEQUAL: Op.NUMEQUALVERIFY,
}
# Before, between and after the arguments.
_FRAMES: dict[Fragment, tuple[tuple[Op, ...], ...]] = {
    Fragment.ANDOR: ((), (Op.NOTIF,), (Op.ELSE,), (Op.ENDIF,)),
    Fragment.AND_V: ((), (), ()),
    Fragment.AND_B: ((), (), (Op.BOOLAND,)),
    Fragment.OR_B: ((), (), (Op.BOOLOR,)),
    Fragment.OR_C: ((), (Op.NOTIF,), (Op.ENDIF,)),
    Fragment.OR_D: ((), (Op.IFDUP, Op.NOTIF), (Op.ENDIF,)),
    Fragment.OR_I: ((Op.IF,), (Op.ELSE,), (Op.ENDIF,)),
    Fragment.A: ((Op.TOALTSTACK,), (Op.FROMALTSTACK,)),
    Fragment.S: ((Op.SWAP,), ()),
    Fragment.C: ((), (Op.CHECKSIG,)),
    Fragment.D: ((Op.DUP, Op.IF), (Op.ENDIF,)),
    Fragment.J: ((Op.SIZE, Op.NOT0, Op.IF), (Op.ENDIF,)),
    Fragment.N: ((), (Op.NOT0,)),
}


def to_script(node: Node, keys: Mapping[str, bytes]) -> bytes:
    """`keys` holds the public key of each key expression: 33 bytes for P2WSH, 32 for tapscript.

    BitcoinMalformed where one is missing or of another size; InsaneScript where two expressions are the same key.
    """
    used: dict[str, bytes] = {}
    script = _script(node, _Keys(node.context, keys, used))
    if len(set(used.values())) < len(used):
        raise InsaneScript("two key expressions of the script are the same public key")
    return script


class _Keys:
    def __init__(self, context: Context, known: Mapping[str, bytes], used: dict[str, bytes]) -> None:
        self._context = context
        self._known = known
        self._used = used

    def __getitem__(self, expression: str) -> bytes:
        key = self._known.get(expression)
        if key is None:
            raise BitcoinMalformed(f"the script needs the public key of {expression}, and it was not given")
        if len(key) != self._context.key_size:
            raise BitcoinMalformed(
                f"the key of {expression} has {len(key)} bytes, {self._context} takes {self._context.key_size}"
            )
        self._used[expression] = key
        return key


def _script(node: Node, keys: _Keys) -> bytes:
    if node.fragment is Fragment.V:
        return _verified(node.subs[0], _script(node.subs[0], keys))
    if node.fragment is Fragment.THRESH:
        first, *others = (_script(sub, keys) for sub in node.subs)
        return first + b"".join(other + bytes((Op.ADD,)) for other in others) + number(node.number) + bytes((Op.EQUAL,))
    if not node.subs:
        return _leaf(node, keys)
    start, *frames = _FRAMES[node.fragment]
    subs = node.subs if len(node.subs) < 3 else (node.subs[0], node.subs[2], node.subs[1])  # andor: X NOTIF Z ELSE Y
    parts = [_script(sub, keys) + bytes(frame) for sub, frame in zip(subs, frames, strict=True)]
    return bytes(start) + b"".join(parts)


def _verified(inner: Node, script: bytes) -> bytes:
    if inner.is_type("x"):
        return script + bytes((Op.VERIFY,))
    return script[:-1] + bytes((_VERIFY_FORMS[Op(script[-1])],))


def _leaf(node: Node, keys: _Keys) -> bytes:
    fragment = node.fragment
    if fragment in KEY_FRAGMENTS:
        return _key(fragment, keys[node.keys[0]])
    if fragment in LOCKS:
        lock = Op.CHECKSEQUENCEVERIFY if fragment is Fragment.OLDER else Op.CHECKLOCKTIMEVERIFY
        return number(node.number) + bytes((lock,))
    if fragment in DIGEST_SIZES:
        checks = bytes((Op.EQUALVERIFY, _HASHES[fragment])) + push(node.digest) + bytes((Op.EQUAL,))
        return bytes((Op.SIZE,)) + number(32) + checks
    if fragment in MULTISIGS:
        return _multisig(node, [push(keys[key]) for key in node.keys])
    return number(int(fragment is Fragment.TRUE))


def _key(fragment: Fragment, key: bytes) -> bytes:
    if fragment is Fragment.PK_K:
        return push(key)
    return bytes((Op.DUP, Op.HASH160)) + push(hash160(key)) + bytes((Op.EQUALVERIFY,))


def _multisig(node: Node, pushes: list[bytes]) -> bytes:
    if node.fragment is Fragment.MULTI:
        return number(node.number) + b"".join(pushes) + number(len(pushes)) + bytes((Op.CHECKMULTISIG,))
    first, *others = pushes
    added = b"".join(key + bytes((Op.CHECKSIGADD,)) for key in others)
    return first + bytes((Op.CHECKSIG,)) + added + number(node.number) + bytes((Op.NUMEQUAL,))
