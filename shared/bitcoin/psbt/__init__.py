"""Partially signed transactions: read strictly, built, merged, finalised (BIP-174, 370, 371, 373)."""

from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.signable import assert_signable
from shared.bitcoin.psbt.value import LeafKey, MusigKey, TapDerivation, TapLeaf, TreeLeaf

__all__ = [
    "LeafKey",
    "MusigKey",
    "Psbt",
    "PsbtInput",
    "PsbtOutput",
    "TapDerivation",
    "TapLeaf",
    "TreeLeaf",
    "assert_signable",
]
