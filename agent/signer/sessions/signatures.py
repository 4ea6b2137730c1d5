"""The signatures of one box: over hashes that it computed itself, for the path that was allowed, in every input."""

from collections.abc import Callable
from dataclasses import replace

from agent.signer.policy.case import Case
from agent.signer.policy.ownership import path_keys
from agent.signer.policy.place import Place
from agent.signer.rule import SIGN_NOT_OURS, SIGN_SELFCHECK
from agent.signer.sessions.ports import Keys
from shared.bitcoin.musig import taproot_tweak
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput
from shared.bitcoin.psbt.value import LeafKey
from shared.bitcoin.sighash import SIGHASH_ALL, SIGHASH_DEFAULT, Sighasher
from shared.bitcoin.signature import verify_ecdsa, verify_schnorr
from shared.errors import Denied

SignInput = Callable[[int, Place, PsbtInput, tuple[bytes, ...]], PsbtInput]


def signed(case: Case, keys: Keys) -> Psbt:
    """The PSBT with this box's signatures added and nothing else changed. Blocks on the keystore.

    Each signature is verified here once more, whatever the keystore promises: `sign.selfcheck`.
    """
    signer = _Signer(case, keys)
    if not case.descriptor.is_taproot:
        return each_input(case, keys, signer.segwit_v0)
    return each_input(case, keys, signer.key_path if case.path.leaf is None else signer.leaf)


def each_input(case: Case, keys: Keys, sign: SignInput) -> Psbt:
    """Every input goes through `sign` with the keys of the path that this box holds for it."""
    whole = [
        sign(index, place, claimed, require_ours(case, keys, place))
        for index, (place, claimed) in enumerate(zip(case.places, case.psbt.inputs, strict=True))
    ]
    return replace(case.psbt, inputs=tuple(whole))


def require_ours(case: Case, keys: Keys, place: Place) -> tuple[bytes, ...]:
    """`sign.not-ours` where the box holds no key of the path."""
    ours = tuple(key for key in _of_path(case, place) if keys.holds(key))
    if not ours:
        raise Denied(SIGN_NOT_OURS, f"this box holds no key of path {case.path.name!r}")
    return ours


def _of_path(case: Case, place: Place) -> tuple[bytes, ...]:
    return path_keys(case.contract.terms, case.path, case.descriptor, place.derived)


class _Signer:
    """Makes the signatures of one input; the sighasher shares what inputs have in common."""

    def __init__(self, case: Case, keys: Keys) -> None:
        self._path = case.path
        self._keys = keys
        self._sighasher = Sighasher(case.tx, case.coins)

    def segwit_v0(self, index: int, place: Place, claimed: PsbtInput, ours: tuple[bytes, ...]) -> PsbtInput:
        assert place.derived.witness_script is not None  # only wsh and tr are registered (policy/ways.py)
        digest = self._sighasher.segwit_v0(index, place.derived.witness_script)
        signatures = dict(claimed.partial_signatures)
        for key in ours:
            der = self._keys.sign_ecdsa(key, digest)
            _require(verify_ecdsa(key, digest, der), key)
            signatures[key] = der + bytes((SIGHASH_ALL,))
        return replace(claimed, partial_signatures=signatures)

    def leaf(self, index: int, place: Place, claimed: PsbtInput, ours: tuple[bytes, ...]) -> PsbtInput:
        assert self._path.leaf is not None
        leaf = place.derived.leaves[self._path.leaf]
        digest = self._sighasher.taproot(index, _flag(claimed), leaf.script)
        signatures = dict(claimed.tap_script_signatures)
        for key in ours:
            signature = self._keys.sign_schnorr(key, digest)
            _require(verify_schnorr(key[1:], digest, signature), key)
            signatures[LeafKey(key[1:], leaf.leaf_hash)] = signature + _suffix(claimed)
        return replace(claimed, tap_script_signatures=signatures)

    def key_path(self, index: int, place: Place, claimed: PsbtInput, ours: tuple[bytes, ...]) -> PsbtInput:
        """One key alone; several sign it by MuSig2 (musig.py)."""
        (key,) = ours
        digest = self._sighasher.taproot(index, _flag(claimed))
        tweak = taproot_tweak(key[1:], place.derived.merkle_root or b"")
        signature = self._keys.sign_schnorr(key, digest, tweak.value)
        _require(verify_schnorr(place.derived.script[2:], digest, signature), key)
        return replace(claimed, tap_key_signature=signature + _suffix(claimed))


def _flag(claimed: PsbtInput) -> int:
    return claimed.sighash_type or SIGHASH_DEFAULT


def _suffix(claimed: PsbtInput) -> bytes:
    """DEFAULT is told by its absence (BIP-341)."""
    return bytes((claimed.sighash_type,)) if claimed.sighash_type else b""


def _require(good: bool, key: bytes) -> None:
    if not good:
        raise Denied(SIGN_SELFCHECK, f"the keystore's signature is not one of key {key.hex()}; nothing was released")
