"""Miniscript (BIP-379): scripts whose spending paths a program can list, price and satisfy.

`parse` gives a typed tree, `require_sane` says whether it may hold money, `paths` lists every way to spend it, `cost`
weighs each, `to_script` makes the bytes, `satisfy` and `fill` make the witness. A policy is compiled by
`compile_policy` to the cheapest sane miniscript and by `compile_tree` to a Taproot tree.
"""

from shared.bitcoin.miniscript.assemble import to_script
from shared.bitcoin.miniscript.compile import compile_policy, expected_wu
from shared.bitcoin.miniscript.cost import (
    control_block_size,
    input_wu,
    key_path_input_wu,
    relay_vsize_vb,
    signature_budget,
    stack_wu,
    witness_sizes,
)
from shared.bitcoin.miniscript.fragment import Context, Fragment
from shared.bitcoin.miniscript.node import Node
from shared.bitcoin.miniscript.parse import parse
from shared.bitcoin.miniscript.paths import Path, Quorum, paths
from shared.bitcoin.miniscript.policy import Policy, parse_policy
from shared.bitcoin.miniscript.sanity import faults, keys, require_sane
from shared.bitcoin.miniscript.satisfy import Assets, satisfy
from shared.bitcoin.miniscript.text import to_text
from shared.bitcoin.miniscript.tree import NUMS_KEY, Tree, TreeLeaf, compile_tree
from shared.bitcoin.miniscript.witness import Item, Preimage, PublicKey, Signature, fill

__all__ = [
    "NUMS_KEY",
    "Assets",
    "Context",
    "Fragment",
    "Item",
    "Node",
    "Path",
    "Policy",
    "Preimage",
    "PublicKey",
    "Quorum",
    "Signature",
    "Tree",
    "TreeLeaf",
    "compile_policy",
    "compile_tree",
    "control_block_size",
    "expected_wu",
    "faults",
    "fill",
    "input_wu",
    "key_path_input_wu",
    "keys",
    "parse",
    "parse_policy",
    "paths",
    "relay_vsize_vb",
    "require_sane",
    "satisfy",
    "signature_budget",
    "stack_wu",
    "to_script",
    "to_text",
    "witness_sizes",
]
