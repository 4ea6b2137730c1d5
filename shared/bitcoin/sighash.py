"""What a signature commits to: BIP-143 for segwit version 0, BIP-341 and 342 for Taproot.

Computed here and by wallycore; a signature is only ever made over a hash that both found.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import wallycore

from shared.bitcoin.compact_size import compact_size
from shared.bitcoin.hashes import sha256d, tagged_hash
from shared.bitcoin.script import ScriptKind, kind
from shared.bitcoin.transaction import Transaction, TxOut
from shared.errors import BitcoinDisagreement, BitcoinMalformed

SIGHASH_DEFAULT: Final = 0
SIGHASH_ALL: Final = 1
SIGHASH_NONE: Final = 2
SIGHASH_SINGLE: Final = 3
SIGHASH_ANYONECANPAY: Final = 0x80
LEAF_TAPSCRIPT: Final = 0xC0

_FLAGS_V0: Final = frozenset(
    output | alone for output in (SIGHASH_ALL, SIGHASH_NONE, SIGHASH_SINGLE) for alone in (0, SIGHASH_ANYONECANPAY)
)
_FLAGS_TAPROOT: Final = _FLAGS_V0 | {SIGHASH_DEFAULT}
_ZEROS: Final = bytes(32)
_NO_CODESEPARATOR: Final = 0xFFFF_FFFF


def leaf_hash(script: bytes, version: int = LEAF_TAPSCRIPT) -> bytes:
    """BIP-341: the leaf's place in the tree."""
    return tagged_hash("TapLeaf", bytes((version,)) + compact_size(len(script)) + script)


class Sighasher:
    """All signature hashes of one transaction; what inputs have in common is hashed once.

    `spent` holds the output that each input spends, in order. Amounts and scripts are committed to by Taproot, and
    the amount by version 0: whoever passes them vouches for them.
    """

    def __init__(self, transaction: Transaction, spent: Sequence[TxOut]) -> None:
        if len(spent) != len(transaction.inputs):
            raise BitcoinMalformed(f"sighash: {len(transaction.inputs)} inputs but {len(spent)} spent outputs")
        self._transaction = transaction
        self._spent = tuple(spent)

    def segwit_v0(self, index: int, script_code: bytes, flag: int = SIGHASH_ALL) -> bytes:
        """BIP-143. `script_code` is the witness script, or that of `p2wpkh_script_code`."""
        self._check(index, flag, _FLAGS_V0)
        _check_script(script_code)
        entry = self._transaction.inputs[index]
        preimage = b"".join(
            (
                self._transaction.version.to_bytes(4, "little"),
                *self._common_v0(flag),
                entry.outpoint.raw,
                compact_size(len(script_code)),
                script_code,
                self._spent[index].amount_sat.to_bytes(8, "little"),
                entry.sequence.to_bytes(4, "little"),
                self._outputs_v0(index, flag),
                self._transaction.lock_time.to_bytes(4, "little"),
                flag.to_bytes(4, "little"),
            )
        )
        return _agreed(sha256d(preimage), self._wally_v0(index, script_code, flag))

    def taproot(self, index: int, flag: int = SIGHASH_DEFAULT, leaf_script: bytes | None = None) -> bytes:
        """BIP-341 for the key path; with `leaf_script` BIP-342 for a leaf of version 0xc0 without CODESEPARATOR."""
        self._check(index, flag, _FLAGS_TAPROOT)
        if kind(self._spent[index].script) is not ScriptKind.P2TR:
            raise BitcoinMalformed(f"sighash: input {index} does not spend a Taproot output")
        if leaf_script is not None:
            _check_script(leaf_script)
        parts = [
            bytes((0, flag)),
            self._transaction.version.to_bytes(4, "little"),
            self._transaction.lock_time.to_bytes(4, "little"),
            *self._common_taproot(flag),
            bytes((0 if leaf_script is None else 2,)),
            self._input_taproot(index, flag),
        ]
        if flag & 3 == SIGHASH_SINGLE:
            parts.append(hashlib.sha256(self._transaction.outputs[index].raw).digest())
        if leaf_script is not None:
            parts += (leaf_hash(leaf_script), b"\x00", _NO_CODESEPARATOR.to_bytes(4, "little"))
        return _agreed(tagged_hash("TapSighash", b"".join(parts)), self._wally_taproot(index, flag, leaf_script))

    def _check(self, index: int, flag: int, allowed: frozenset[int]) -> None:
        if not 0 <= index < len(self._spent):
            raise BitcoinMalformed(f"sighash: there is no input {index}, the transaction has {len(self._spent)}")
        if flag not in allowed:
            raise BitcoinMalformed(f"sighash: the flag {flag:#04x} does not exist for this kind of input")
        if flag & 3 == SIGHASH_SINGLE and index >= len(self._transaction.outputs):
            raise BitcoinMalformed(f"sighash: SINGLE needs an output {index} beside the input")

    def _common_v0(self, flag: int) -> tuple[bytes, bytes]:
        if flag & SIGHASH_ANYONECANPAY:
            return _ZEROS, _ZEROS
        sequences = hashlib.sha256(self._sequences).digest() if flag == SIGHASH_ALL else _ZEROS
        return hashlib.sha256(self._prevouts).digest(), sequences

    def _outputs_v0(self, index: int, flag: int) -> bytes:
        if flag & 3 == SIGHASH_ALL:
            return hashlib.sha256(self._outputs).digest()
        return sha256d(self._transaction.outputs[index].raw) if flag & 3 == SIGHASH_SINGLE else _ZEROS

    def _common_taproot(self, flag: int) -> list[bytes]:
        parts = []
        if not flag & SIGHASH_ANYONECANPAY:
            parts += [self._prevouts, self._amounts, self._scripts, self._sequences]
        if flag & 3 in (SIGHASH_DEFAULT, SIGHASH_ALL):
            parts.append(self._outputs)
        return parts

    def _input_taproot(self, index: int, flag: int) -> bytes:
        if not flag & SIGHASH_ANYONECANPAY:
            return index.to_bytes(4, "little")
        entry = self._transaction.inputs[index]
        return entry.outpoint.raw + self._spent[index].raw + entry.sequence.to_bytes(4, "little")

    @cached_property
    def _prevouts(self) -> bytes:
        return hashlib.sha256(b"".join(entry.outpoint.raw for entry in self._transaction.inputs)).digest()

    @cached_property
    def _sequences(self) -> bytes:
        numbers = (entry.sequence.to_bytes(4, "little") for entry in self._transaction.inputs)
        return hashlib.sha256(b"".join(numbers)).digest()

    @cached_property
    def _outputs(self) -> bytes:
        return hashlib.sha256(b"".join(output.raw for output in self._transaction.outputs)).digest()

    @cached_property
    def _amounts(self) -> bytes:
        return hashlib.sha256(b"".join(o.amount_sat.to_bytes(8, "little") for o in self._spent)).digest()

    @cached_property
    def _scripts(self) -> bytes:
        scripts = (compact_size(len(output.script)) + output.script for output in self._spent)
        return hashlib.sha256(b"".join(scripts)).digest()

    @cached_property
    def _wally(self) -> Any:
        return wallycore.tx_from_bytes(self._transaction.raw, wallycore.WALLY_TX_FLAG_USE_WITNESS)

    @cached_property
    def _wally_scripts(self) -> Any:
        scripts = wallycore.map_init(len(self._spent), None)
        for index, output in enumerate(self._spent):
            wallycore.map_add_integer(scripts, index, output.script)
        return scripts

    def _wally_v0(self, index: int, script_code: bytes, flag: int) -> bytes:
        amount_sat = self._spent[index].amount_sat
        try:
            return bytes(
                wallycore.tx_get_btc_signature_hash(
                    self._wally, index, script_code, amount_sat, flag, wallycore.WALLY_TX_FLAG_USE_WITNESS
                )
            )
        except ValueError as error:
            raise BitcoinDisagreement(f"sighash: wallycore finds none for input {index}") from error

    def _wally_taproot(self, index: int, flag: int, leaf_script: bytes | None) -> bytes:
        amounts_sat = [output.amount_sat for output in self._spent]
        try:
            return bytes(
                wallycore.tx_get_btc_taproot_signature_hash(
                    self._wally,
                    index,
                    self._wally_scripts,
                    amounts_sat,
                    leaf_script,
                    0,
                    _NO_CODESEPARATOR,
                    None,
                    flag,
                    0,
                )
            )
        except ValueError as error:
            raise BitcoinDisagreement(f"sighash: wallycore finds none for input {index}") from error


def _check_script(script: bytes) -> None:
    if not script:
        raise BitcoinMalformed("sighash: an empty script has no signature to check")


def _agreed(ours: bytes, theirs: bytes) -> bytes:
    if ours != theirs:
        raise BitcoinDisagreement(f"sighash: we find {ours.hex()}, wallycore {theirs.hex()}")
    return ours
