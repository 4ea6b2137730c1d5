"""Where a script stands in a descriptor. What a PSBT claims is only a hint; the box derives and compares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from agent.signer.rule import INPUT_UNREGISTERED, OUTPUT_CHANGE_FOREIGN
from shared.bitcoin.descriptor import Derived, Descriptor
from shared.bitcoin.key_origin import KeyOrigin
from shared.bitcoin.psbt.psbt import PsbtInput, PsbtOutput
from shared.bitcoin.transaction import TxOut
from shared.errors import Denied

FARTHEST_INDEX = 10_000
"""Coins at a far index are valid and yet lost: no wallet that recovers from the descriptor looks that far."""

MOST_PLACES = 4
"""That one script is looked for at. All keys of a script stand at one index; to derive at thousands takes a minute."""


@dataclass(frozen=True, slots=True)
class Place:
    """`branch` 0 receives, 1 is for change."""

    branch: int
    index: int
    derived: Derived


def place_of_input(descriptor: Descriptor, coin: TxOut, claimed: PsbtInput) -> Place:
    """`Denied` (`input.unregistered`) where the coin, or a script that the PSBT names for it, is not the contract's."""
    place = _find(descriptor, coin.script, _origins(claimed))
    if place is None:
        raise Denied(
            INPUT_UNREGISTERED,
            f"a coin of script {coin.script.hex()} is not the contract's at any index up to {FARTHEST_INDEX} "
            "that the PSBT names",
        )
    _check_scripts(place.derived, claimed)
    return place


def place_of_output(descriptor: Descriptor, output: TxOut, claimed: PsbtOutput) -> Place | None:
    """None for a payment. An output that says of itself that it is change must be: `output.change-foreign`."""
    origins = _origins(claimed)
    place = _find(descriptor, output.script, origins)
    if place is None and origins:
        raise Denied(
            OUTPUT_CHANGE_FOREIGN,
            f"{output.amount_sat} sat go as change to {output.script.hex()}, which is not the contract's "
            f"at any index up to {FARTHEST_INDEX} that the PSBT names",
        )
    return place


def _origins(claimed: PsbtInput | PsbtOutput) -> tuple[KeyOrigin, ...]:
    return (*claimed.derivations.values(), *(each.origin for each in claimed.tap_derivations.values()))


def _find(descriptor: Descriptor, script: bytes, origins: Sequence[KeyOrigin]) -> Place | None:
    for branch, index in islice(_possible(descriptor, origins), MOST_PLACES):
        derived = descriptor.derive(branch, index)
        if derived.script == script:
            return Place(branch, index, derived)
    return None


def _possible(descriptor: Descriptor, origins: Sequence[KeyOrigin]) -> Iterator[tuple[int, int]]:
    """First ones too, for keys that are not derived at all; they are derived already."""
    farthest = FARTHEST_INDEX if descriptor.is_ranged else 0
    named = (each.path[-2:] for each in origins if len(each.path) >= 2)
    for branch, index in dict.fromkeys([(0, 0), (1, 0), *named]):
        if branch < descriptor.branches and index <= farthest:
            yield branch, index


def _check_scripts(derived: Derived, claimed: PsbtInput) -> None:
    if claimed.witness_script not in (None, derived.witness_script):
        raise Denied(INPUT_UNREGISTERED, "the witness script of an input is not the contract's")
    if claimed.tap_internal_key not in (None, derived.internal_key):
        raise Denied(INPUT_UNREGISTERED, "the internal key of an input is not the contract's")
    if claimed.tap_merkle_root not in (None, derived.merkle_root):
        raise Denied(INPUT_UNREGISTERED, "the Merkle root of an input is not that of the contract's tree")
    participants = {each.aggregate: each.participants for each in derived.aggregates}
    for aggregate, named in claimed.musig_participants.items():
        if participants.get(aggregate) != named:
            raise Denied(INPUT_UNREGISTERED, "the MuSig2 participants of an input are not the contract's")
    leaves = {leaf.control_block: (leaf.script, leaf.version) for leaf in derived.leaves}
    for control_block, leaf in claimed.tap_leaf_scripts.items():
        if leaves.get(control_block) != leaf:
            raise Denied(INPUT_UNREGISTERED, "a leaf or control block of an input is not the contract's")
