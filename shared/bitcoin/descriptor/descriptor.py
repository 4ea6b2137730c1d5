"""Output descriptors: text that says what can be spent by whom, read and derived by two implementations.

BIP-380 to 386, 389 (multipath) and 390 (musig). Bitcoin Core writes keys of fixed form, too; we take one text for one
meaning only, so that its hash can name a contract.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from btclib.exceptions import BTClibException
from btclib_wallet import descriptors as btclib
from btclib_wallet.bip32 import fingerprint
from btclib_wallet.descriptors.key_expression import KeyExpression as BtclibKey
from btclib_wallet.descriptors.key_expression import _derived_once
from ecc.exceptions import EccException

from shared.bitcoin.address import address_of
from shared.bitcoin.descriptor import second_opinion
from shared.bitcoin.descriptor.aggregate import script_key
from shared.bitcoin.descriptor.checksum import checksum, split
from shared.bitcoin.descriptor.derived import Aggregate, Derived, Leaf
from shared.bitcoin.descriptor.key import KeyExpression, keys_of
from shared.bitcoin.descriptor.reason import refusal
from shared.bitcoin.hashes import hash160
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.network import Network
from shared.bitcoin.sighash import leaf_hash
from shared.errors import BitcoinDisagreement, BitcoinMalformed, InsaneScript

MAX_INDEX: Final = 1_000_000
"""Coins farther out are lost to every wallet that scans; so nothing is derived there."""
MAX_CHARACTERS: Final = 20_000

_REFUSALS: Final = (BTClibException, EccException)
_FORMS: Final = (
    btclib.PkhDescriptor,
    btclib.WpkhDescriptor,
    btclib.ShDescriptor,
    btclib.WshDescriptor,
    btclib.TrDescriptor,
)


@dataclass(frozen=True)
class Descriptor:
    """`text` has no checksum and writes hardened steps with `h`. Two descriptors are equal where text and network are.

    `branches` counts the alternatives of multipath steps (`<0;1>`), 1 without any.
    """

    text: str
    network: Network
    _singles: tuple[btclib.Descriptor, ...] = field(compare=False, repr=False)

    @staticmethod
    def parse(text: str, network: Network) -> "Descriptor":
        """With or without checksum; a checksum that stands there has to fit.

        BitcoinMalformed for what is no descriptor of public keys in its one canonical text, InsaneScript (with the
        reason) for scripts that do not mean what they seem to, BitcoinDisagreement where btclib and bdk differ.
        """
        if len(text) > MAX_CHARACTERS:
            raise BitcoinMalformed(f"descriptor: {len(text)} characters are more than {MAX_CHARACTERS}")
        body = split(text).replace("'", "h")
        singles = tuple(_single(one, network) for one in _expanded(body, network))
        found = Descriptor(body, network, singles)
        found._check()
        return found

    @property
    def checksum_text(self) -> str:
        """The text that other software imports."""
        return f"{self.text}#{checksum(self.text)}"

    @property
    def branches(self) -> int:
        return len(self._singles)

    @property
    def is_taproot(self) -> bool:
        return isinstance(self._singles[0], btclib.TrDescriptor)

    @property
    def is_ranged(self) -> bool:
        """Without a wildcard there is one script per branch, at index 0."""
        return self._singles[0].is_ranged

    @property
    def change_branch(self) -> int:
        """The second branch (BIP-389), or the only one."""
        return min(1, self.branches - 1)

    def indices(self, wanted: int) -> range:
        """The first `wanted` indices of a branch, as far as there are scripts at them: one without a wildcard."""
        return range(wanted if self.is_ranged else min(wanted, 1))

    @cached_property
    def keys(self) -> tuple[KeyExpression, ...]:
        return keys_of(self.text)

    def derive(self, branch: int, index: int) -> Derived:
        """BitcoinMalformed for a branch or index that does not exist or is too far; BitcoinDisagreement where btclib
        and bdk come to different scripts.
        """
        if not 0 <= branch < self.branches:
            raise BitcoinMalformed(f"descriptor: it has no branch {branch}, only 0 to {self.branches - 1}")
        if not 0 <= index <= (MAX_INDEX if self.is_ranged else 0):
            raise BitcoinMalformed(f"descriptor: no script is derived at index {index}")
        return _derive(self, branch, index)

    def address(self, branch: int, index: int) -> str:
        address = address_of(self.derive(branch, index).script, self.network)
        assert address is not None  # every form of ours has one
        return address

    def _check(self) -> None:
        """Sane by both, and every branch comes to the same script by both."""
        for branch in range(self.branches):
            second_opinion.check_sane(_without_musig(self._singles[branch], 0), self.network)
            derived = self.derive(branch, 0)
            if len(derived.keys) != len(self.keys):
                raise BitcoinDisagreement(
                    f"descriptor: we find {len(self.keys)} keys in its text and btclib {len(derived.keys)}"
                )


def _expanded(body: str, network: Network) -> list[str]:
    try:
        return [one.partition("#")[0] for one in btclib.multipath_descriptors(body, network.btclib)]
    except _REFUSALS as error:
        raise refusal(error) from error


def _single(text: str, network: Network) -> btclib.Descriptor:
    private: dict[str, str] = {}
    try:
        found = btclib.parse(text, network.btclib, private)
    except _REFUSALS as error:
        raise refusal(error) from error
    if private or any(key.wif_prefix for key in _flat(found.key_expressions)):
        raise BitcoinMalformed("descriptor: it holds a private key; write the public key instead")
    if not isinstance(found, _FORMS):
        raise BitcoinMalformed("descriptor: only pkh, wpkh, sh, wsh and tr are outputs that this suite pays to")
    if str(found) != text:
        raise BitcoinMalformed(f"descriptor: the same is written shorter or otherwise, as {str(found)[:500]}")
    return found


@lru_cache(maxsize=8192)
def _derive(descriptor: Descriptor, branch: int, index: int) -> Derived:
    single = descriptor._singles[branch]
    network = descriptor.network
    try:
        derived = _derived(single, network, branch, index)
    except _REFUSALS as error:
        raise refusal(error) from error
    other = second_opinion.script(_without_musig(single, index), 0 if _has_musig(single) else index, network)
    if other != derived.script:
        raise BitcoinDisagreement(f"descriptor: btclib and bdk derive different scripts at {branch}/{index}")
    return derived


def _derived(single: btclib.Descriptor, network: Network, branch: int, index: int) -> Derived:
    with _derived_once(None):  # btclib derives each key once in here, and not again for each script
        keys = tuple(_key_bytes(key, index, network) for key in _flat(single.key_expressions))
        wrapped = single.inner if isinstance(single, btclib.ShDescriptor) else None
        witness = wrapped if isinstance(wrapped, btclib.WshDescriptor) else single
        taproot = single if isinstance(single, btclib.TrDescriptor) else None
        return Derived(
            branch=branch,
            index=index,
            script=bytes(single.script_pub_key(index).script),
            witness_script=_inner(witness, index) if isinstance(witness, btclib.WshDescriptor) else None,
            redeem_script=bytes(wrapped.redeem_script(index)) if wrapped else None,
            internal_key=_key_bytes(taproot.internal_key, index, network)[1:] if taproot else None,
            merkle_root=(taproot.taproot_merkle_root(index) or None) if taproot else None,
            leaves=_leaves(taproot, index, network) if taproot else (),
            keys=keys,
            origins=_origins(single, keys, index),
            aggregates=tuple(_aggregate(key, index, network) for key in single.key_expressions if key.is_aggregate),
        )


def _inner(witness: btclib.WshDescriptor, index: int) -> bytes:
    return bytes(witness.inner.redeem_script(index))


def _leaves(taproot: btclib.TrDescriptor, index: int, network: Network) -> tuple[Leaf, ...]:
    """Left to right; btclib gives scripts, control blocks and depths in the same order."""
    if taproot.tree is None:
        return ()
    blocks = taproot.taproot_leaf_scripts(index).items()
    depths = [depth for depth, _, _ in taproot.taproot_tree(index)]
    if len(blocks) != len(depths):
        raise InsaneScript("descriptor: two leaves of the tree are the same; leave one out")
    return tuple(
        Leaf(script, version, block, depth, leaf_hash(script, version), _keys_of_leaf(leaf, index, network))
        for (block, (script, version)), depth, leaf in zip(blocks, depths, _walk(taproot.tree), strict=True)
    )


def _walk(tree: btclib.DescriptorTree) -> tuple[btclib.DescriptorLeaf, ...]:
    return _walk(tree[0]) + _walk(tree[1]) if isinstance(tree, tuple) else (tree,)


def _keys_of_leaf(leaf: btclib.DescriptorLeaf, index: int, network: Network) -> tuple[bytes, ...]:
    if isinstance(leaf, btclib.MultiA):
        keys = leaf.keys
    else:
        keys = leaf.key_expressions if isinstance(leaf, btclib.Miniscript) else (leaf,)
    aggregates = tuple(key for key in keys if key.is_aggregate)
    return tuple(_key_bytes(key, index, network) for key in (*aggregates, *_flat(keys)))


def _flat(keys: tuple[BtclibKey, ...]) -> tuple[BtclibKey, ...]:
    return tuple(one for key in keys for one in (key.participants or (key,)))


def _key_bytes(key: BtclibKey, index: int, network: Network) -> bytes:
    return bytes(key.sec(index, network.btclib))


def _aggregate(key: BtclibKey, index: int, network: Network) -> Aggregate:
    participants = tuple(key.participant_keys(index, network.btclib))
    aggregate = bytes(key.aggregate(index, network.btclib))
    found = _key_bytes(key, index, network)
    path = _path(key, index)
    if script_key(participants).public_key != aggregate or script_key(participants, path).public_key != found:
        raise BitcoinDisagreement("descriptor: btclib and libsecp256k1 aggregate keys differently")
    return Aggregate(aggregate, found, participants, KeyOrigin(hash160(aggregate)[:4], path))


def _origins(single: btclib.Descriptor, keys: tuple[bytes, ...], index: int) -> dict[bytes, KeyOrigin]:
    """Where a key stands twice, the first place counts."""
    origins: dict[bytes, KeyOrigin] = {}
    for key, public_key in zip(_flat(single.key_expressions), keys, strict=True):
        origins.setdefault(public_key, _origin(key, index))
    return origins


def _path(key: BtclibKey, index: int) -> tuple[int, ...]:
    return key.der_path if key.wildcard is None else (*key.der_path, key.wildcard + index)


def _origin(key: BtclibKey, index: int) -> KeyOrigin:
    path = _path(key, index)
    if key.origin is not None:
        return KeyOrigin(bytes(key.origin.master_fingerprint), (*key.origin.der_path, *path))
    if key.pub_key is not None:
        return KeyOrigin(hash160(key.pub_key)[:4], path)
    return KeyOrigin(bytes(fingerprint(key.xkey)), path)


def _has_musig(single: btclib.Descriptor) -> bool:
    return any(key.is_aggregate for key in single.key_expressions)


def _without_musig(single: btclib.Descriptor, index: int) -> str:
    """The text for bdk, which knows no musig(): at this index, with each aggregate in the place of its musig()."""
    if not _has_musig(single):
        return str(single)
    fixed = btclib.at_index(single, index)
    text = str(fixed)
    for key in fixed.key_expressions:
        if key.is_aggregate:
            text = text.replace(str(key), key.sec(0, fixed.network)[1:].hex())
    return text
