"""What is signed for: everything (sighash), and exactly the declared path (version, lock time, sequences, role)."""

from agent.signer.policy.approvals import recovery_was_called
from agent.signer.policy.case import Case
from agent.signer.rule import CLOCK_STALE, PATH_MISMATCH, SIGHASH_FORBIDDEN
from shared.bitcoin.sighash import SIGHASH_ALL, SIGHASH_DEFAULT
from shared.errors import Denied
from shared.wire.contract import HIGHEST_HEIGHT

FINAL_SEQUENCES = frozenset({0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF})
"""No relative lock (BIP-68): replaceable (BIP-125), lock time in force, final."""

AHEAD_BLOCKS = 6
"""A lock time may name the tip that the proposer saw, which may be that much newer than ours. Which of the two is wrong
about one that is newer still, the box cannot know: it waits for headers.
"""

_SCHNORR_BYTES = 64


def sighash_covers_everything(case: Case) -> None:
    """In the field, and in the last byte of every signature that is there already."""
    allowed = {SIGHASH_ALL, SIGHASH_DEFAULT} if case.descriptor.is_taproot else {SIGHASH_ALL}
    for index, claimed in enumerate(case.psbt.inputs):
        flags = {signature[-1] for signature in claimed.partial_signatures.values()}
        schnorr = [*claimed.tap_script_signatures.values()]
        if claimed.tap_key_signature:
            schnorr.append(claimed.tap_key_signature)
        flags |= {signature[-1] for signature in schnorr if len(signature) > _SCHNORR_BYTES}
        if claimed.sighash_type is not None:
            flags.add(claimed.sighash_type)
        if flags - allowed:
            raise Denied(
                SIGHASH_FORBIDDEN, f"input {index} asks for sighash {max(flags - allowed):#04x}; only ALL is signed"
            )


def path_is_kept(case: Case) -> None:
    if case.tx.version != 2:
        raise Denied(PATH_MISMATCH, f"the transaction has version {case.tx.version}; version 2 is signed")
    _check_sequences(case)
    _check_lock_time(case)
    _check_role(case)


def _check_sequences(case: Case) -> None:
    older = case.path.older_blocks
    for index, spent in enumerate(case.tx.inputs):
        if older is None and spent.sequence not in FINAL_SEQUENCES:
            raise Denied(PATH_MISMATCH, f"path {case.path.name!r} has no relative lock, input {index} does")
        if older is not None and spent.sequence != older:
            raise Denied(
                PATH_MISMATCH, f"path {case.path.name!r} waits {older} blocks, input {index} says {spent.sequence:#x}"
            )
    ripe_height = case.contract.terms.birth_height + (older or 0)
    if older is not None and case.height < ripe_height:
        raise Denied(PATH_MISMATCH, f"no coin of the contract is {older} blocks old before height {ripe_height}")


def _check_lock_time(case: Case) -> None:
    lock_time, after = case.tx.lock_time, case.path.after_height
    if lock_time > HIGHEST_HEIGHT:
        raise Denied(PATH_MISMATCH, f"lock time {lock_time} is a date; heights are signed")
    if lock_time > case.height + AHEAD_BLOCKS:
        raise Denied(CLOCK_STALE, f"lock time {lock_time} lies far ahead of height {case.height}; headers are missing")
    if after is None:
        return
    if lock_time < after:
        raise Denied(PATH_MISMATCH, f"path {case.path.name!r} opens at height {after}, the lock time is {lock_time}")
    if case.height < after:
        raise Denied(PATH_MISMATCH, f"path {case.path.name!r} opens at height {after}, it is {case.height}")
    if any(spent.sequence == 0xFFFFFFFF for spent in case.tx.inputs):
        raise Denied(PATH_MISMATCH, "a final input would switch the lock time off")


def _check_role(case: Case) -> None:
    if case.path.role == "recovery" and not recovery_was_called(case):
        raise Denied(
            PATH_MISMATCH, f"path {case.path.name!r} is for people of the recovery role, none of whom approved"
        )
