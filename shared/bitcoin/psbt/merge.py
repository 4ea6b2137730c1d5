"""Signatures of others come into our PSBT, and nothing else does.

Libraries that combine PSBTs let the first value win where two differ. Here a difference is refused by its name: what is
signed is what we sent out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from shared.bitcoin.hashes import hash160
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.sighash import leaf_hash
from shared.errors import BitcoinMalformed

ADDED: Final = (
    "partial_signatures",
    "tap_key_signature",
    "tap_script_signatures",
    "musig_nonces",
    "musig_partial_signatures",
)
"""The fields of an input that a signer fills."""


def merge(base: Psbt, partial: Psbt) -> Psbt:
    """`base` with the signatures, nonces and partial signatures of `partial`, which may leave out everything else.

    BitcoinMalformed names the map and the field where `partial` holds anything that `base` does not, another value for
    a signature that is there already, or one by a key that has no part in the input. Whether signatures are right is
    not asked here. Flags that let something be modified may be cleared, which a signer does.
    """
    if partial.version != base.version or partial.tx != base.tx:
        raise BitcoinMalformed(f"psbt: it is of another version, or about {partial.txid} and not {base.txid}")
    _same_or_absent(base, partial, "global map", besides=("inputs", "outputs", "modifiable"))
    if (partial.modifiable or 0) & ~(base.modifiable or 0):
        raise BitcoinMalformed("psbt global map: it sets flags that let something be modified")
    for index, (ours, theirs) in enumerate(zip(base.outputs, partial.outputs, strict=True)):
        _same_or_absent(ours, theirs, f"output {index}")
    inputs = [
        _merged(ours, theirs, f"input {index}")
        for index, (ours, theirs) in enumerate(zip(base.inputs, partial.inputs, strict=True))
    ]
    return replace(base, inputs=tuple(inputs), modifiable=partial.modifiable)


def _same_or_absent(ours: Any, theirs: Any, place: str, besides: tuple[str, ...] = ()) -> None:
    for one in fields(theirs):
        given = getattr(theirs, one.name)
        if one.compare and one.name not in besides and given not in (None, {}, getattr(ours, one.name)):
            raise BitcoinMalformed(f"psbt {place}: its {one.name} is not what was sent out")


def _merged(ours: PsbtInput, theirs: PsbtInput, place: str) -> PsbtInput:
    _same_or_absent(ours, theirs, place, besides=ADDED)
    if theirs.tap_key_signature is not None and ours.tap_key_signature not in (None, theirs.tap_key_signature):
        raise BitcoinMalformed(f"psbt {place}: its tap_key_signature is another one than we have already")
    changed: dict[str, Any] = {"tap_key_signature": ours.tap_key_signature or theirs.tap_key_signature}
    known = _Known(ours)
    for name in ADDED:
        if name == "tap_key_signature":
            continue
        held: Mapping[Any, bytes] = getattr(ours, name)
        given: Mapping[Any, bytes] = getattr(theirs, name)
        for key, value in given.items():
            if held.get(key, value) != value:
                raise BitcoinMalformed(f"psbt {place}: its {name} holds another value for a key than we have already")
            if key not in held and not known.has(name, key):
                raise BitcoinMalformed(f"psbt {place}: its {name} holds one by a key that has no part in the input")
        changed[name] = {**held, **given}
    return replace(ours, **changed)


class _Known:
    """Which keys may sign an input, by what our own PSBT says of it."""

    def __init__(self, entry: PsbtInput) -> None:
        self._entry = entry
        self._leaves = {leaf_hash(leaf.script, leaf.version): leaf.script for leaf in entry.tap_leaf_scripts.values()}

    def has(self, name: str, key: Any) -> bool:
        if name == "partial_signatures":
            return key in self._entry.derivations or any(key in one or hash160(key) in one for one in self._scripts())
        if name == "tap_script_signatures":
            script = self._leaves.get(key.leaf_hash)
            return script is not None and (key.key in script or hash160(key.key) in script)
        groups = self._entry.musig_participants.values()
        return any(key.participant in group for group in groups) and (
            key.leaf_hash is None or key.leaf_hash in self._leaves
        )

    def _scripts(self) -> Iterator[bytes]:
        if self._entry.witness_script is not None:
            yield self._entry.witness_script
        if self._entry.redeem_script is not None:
            yield self._entry.redeem_script
        if self._entry.spent is not None:
            yield self._entry.spent.script
