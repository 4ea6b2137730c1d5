"""What the tests stand on: keys and preimages with known secrets, random expressions and policies, real spends."""

import re
from dataclasses import dataclass, replace
from hashlib import sha256

import wallycore
from hypothesis import strategies as st

from shared.bitcoin.consensus import verify_input
from shared.bitcoin.hashes import hash160, tagged_hash
from shared.bitcoin.miniscript import NUMS_KEY, Context, Node, Path, Signature, fill, keys, to_script
from shared.bitcoin.script import p2tr, p2wsh
from shared.bitcoin.sighash import Sighasher, leaf_hash
from shared.bitcoin.signature import sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

NAMES = tuple("ABCDEFGHIJKLMN")
PREIMAGES = {
    "sha256": (sha256(bytes(32)).digest(), bytes(32)),
    "hash256": (sha256(sha256(b"\x01" * 32).digest()).digest(), b"\x01" * 32),
    "hash160": (hash160(b"\x02" * 32), b"\x02" * 32),
}
KNOWN = dict(PREIMAGES.values())


def secret(name: str) -> bytes:
    return sha256(name.encode()).digest()


def public_key(name: str, context: Context) -> bytes:
    key = bytes(wallycore.ec_public_key_from_private_key(secret(name)))
    return key if context is Context.P2WSH else key[1:]


def named_keys(node: Node) -> dict[str, bytes]:
    return {name: public_key(name, node.context) for name in keys(node)}


def with_real_keys(text: str, context: Context) -> str:
    """The expression with each single-letter key name replaced by its public key in hexadecimal."""
    return re.sub(r"(?<=[(,])[A-N](?=[),])", lambda name: public_key(name.group(), context).hex(), text)


def wrap(letter: str, text: str) -> str:
    return letter + text if re.match(r"[a-z]+:", text) else f"{letter}:{text}"


@st.composite
def expressions(draw: st.DrawFn, context: Context, kind: str = "B", depth: int = 3) -> str:
    """Expressions of the basic type, of which many are invalid or insane for finer reasons."""
    multisig = "multi" if context is Context.P2WSH else "multi_a"
    name = st.sampled_from(NAMES)

    def sub(wanted: str) -> str:
        return draw(expressions(context, wanted, depth - 1))

    leaves = {
        "B": ["pk", "pk", "pkh", "multi", "older", "after", "hash", "truth"],
        "V": ["v:B"], "K": ["pk_k", "pk_h"], "W": ["s:B", "a:B"],
    }  # fmt: skip
    deeper = {
        "B": ["and_v(V,B)", "and_b(B,W)", "or_b(B,W)", "or_d(B,B)", "or_i(B,B)", "andor(B,B,B)", "thresh", "c:K",
              "n:B", "j:B", "d:V", "l:B", "u:B", "t:V", "and_n(B,B)"],
        "V": ["v:B", "v:B", "and_v(V,V)", "or_c(B,V)", "or_i(V,V)", "andor(B,V,V)"],
        "K": ["pk_k", "pk_h", "and_v(V,K)", "or_i(K,K)", "andor(B,K,K)"],
        "W": ["s:B", "a:B"],
    }  # fmt: skip
    shape = draw(st.sampled_from(leaves[kind] + (deeper[kind] * 2 if depth > 0 else [])))
    match shape:
        case "pk" | "pkh" | "pk_k" | "pk_h":
            return f"{shape}({draw(name)})"
        case "older":
            return f"older({draw(st.sampled_from((1, 144, 65535, 4194305)))})"
        case "after":
            return f"after({draw(st.sampled_from((1, 500000, 500000001)))})"
        case "hash":
            kind_of_hash = draw(st.sampled_from(sorted(PREIMAGES)))
            return f"{kind_of_hash}({PREIMAGES[kind_of_hash][0].hex()})"
        case "truth":
            return draw(st.sampled_from("01"))
        case "multi":
            members = draw(st.lists(name, min_size=1, max_size=3, unique=True))
            return f"{multisig}({draw(st.integers(1, len(members)))},{','.join(members)})"
        case "thresh":
            others = draw(st.integers(0, 2))
            parts = [sub("B"), *(sub("W") for _ in range(others))]
            return f"thresh({draw(st.integers(1, len(parts)))},{','.join(parts)})"
        case _ if ":" in shape:
            return wrap(shape[0], sub(shape[2]))
        case _:
            head, arguments = shape.rstrip(")").split("(")
            return f"{head}({','.join(sub(wanted) for wanted in arguments.split(','))})"


@st.composite
def policies(draw: st.DrawFn, depth: int = 3) -> str:
    """Policies over keys that each stand once; most can be compiled to a sane script."""
    names = iter(NAMES)

    def policy(left: int, *, signed: bool) -> str:
        shapes = ["pk", "pk"] if signed else ["pk", "older", "after", "hash"]
        shape = draw(st.sampled_from(shapes + (["and", "or", "or", "thresh", "thresh"] if left else [])))
        match shape:
            case "pk":
                key = next(names, None)
                return f"pk({key})" if key else "older(77)"
            case "older":
                return f"older({draw(st.integers(1, 65535))})"
            case "after":
                return f"after({draw(st.integers(1, 499999999))})"
            case "hash":
                return f"sha256({PREIMAGES['sha256'][0].hex()})"
            case "and":
                return f"and({policy(left - 1, signed=signed)},{policy(left - 1, signed=False)})"
            case "or":
                odds = draw(st.sampled_from((1, 9, 99)))
                return f"or({odds}@{policy(left - 1, signed=signed)},{policy(left - 1, signed=signed)})"
            case _:
                count = draw(st.integers(2, 4))
                needed = draw(st.integers(1, count))
                kinds = [True, *(draw(st.sampled_from((True, True, False))) for _ in range(count - 1))]
                parts = [policy(0 if place else left - 1, signed=kind) for place, kind in enumerate(kinds)]
                return f"thresh({needed},{','.join(parts)})"

    return policy(depth, signed=True)


@dataclass(frozen=True)
class Coin:
    """An output that the script locks, and what a spend of it must show beside the script's own witness."""

    node: Node
    script: bytes
    output: TxOut
    control_block: bytes

    @staticmethod
    def of(node: Node, depth: int = 0) -> "Coin":
        script = to_script(node, named_keys(node))
        if node.context is Context.P2WSH:
            return Coin(node, script, TxOut(100_000, p2wsh(script)), b"")
        root, siblings = leaf_hash(script), [sha256(bytes([level])).digest() for level in range(depth)]
        for sibling in siblings:
            root = tagged_hash("TapBranch", min(root, sibling) + max(root, sibling))
        internal = bytes.fromhex(NUMS_KEY)
        tweaked = bytes(wallycore.ec_public_key_bip341_tweak(b"\x02" + internal, root, 0))
        control = bytes([0xC0 | (tweaked[0] & 1)]) + internal + b"".join(siblings)
        return Coin(node, script, TxOut(100_000, p2tr(tweaked[1:])), control)

    def spend(
        self,
        path: Path,
        *,
        sequence_less: int = 0,
        lock_time_less: int = 0,
        without: str = "",
        no_preimage: bool = False,
    ) -> Transaction:
        """Signed for the path; the named things are missing."""
        sequence = 0xFFFFFFFE if path.older is None else path.older - sequence_less
        lock_time = (path.after or 0) - lock_time_less
        coin = TxIn(OutPoint("11" * 32, 0), sequence=sequence)
        blank = Transaction(2, (coin,), (TxOut(90_000, p2wsh(b"\x51")),), lock_time)
        signatures = {
            item.key: b"" if item.key == without else self._sign(item.key, blank)
            for item in path.witness
            if isinstance(item, Signature)
        }
        preimages = dict.fromkeys(KNOWN, b"\x09" * 32) if no_preimage else KNOWN
        stack = fill(path.witness, signatures, named_keys(self.node), preimages)
        return self.with_witness(blank, (*stack, self.script, *((self.control_block,) if self.control_block else ())))

    def with_witness(self, transaction: Transaction, witness: tuple[bytes, ...]) -> Transaction:
        return replace(transaction, inputs=(replace(transaction.inputs[0], witness=witness),))

    def accepts(self, transaction: Transaction) -> bool:
        return verify_input(transaction, (self.output,), 0)

    def _sign(self, name: str, blank: Transaction) -> bytes:
        hasher = Sighasher(blank, (self.output,))
        if self.node.context is Context.TAPSCRIPT:
            return sign_schnorr(secret(name), hasher.taproot(0, leaf_script=self.script), bytes(32))
        digest = hasher.segwit_v0(0, self.script)
        # As a token signs: without a search for a small r.
        compact = wallycore.ec_sig_from_bytes(secret(name), digest, wallycore.EC_FLAG_ECDSA)
        return bytes(wallycore.ec_sig_to_der(compact)) + b"\x01"
