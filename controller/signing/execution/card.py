"""A contract as a worker holds it: scripts by their bytes, destinations by their script. Built once, read often."""

from collections.abc import Mapping
from typing import NamedTuple

from controller.signing.ownership import derived_at, expressions
from controller.signing.ports import Contract
from controller.signing.spending import descriptor_of
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor.derived import Derived
from shared.bitcoin.network import Network


class Card(NamedTuple):
    """`places` are the scripts of the first indexes of both branches, `payable` the destinations with the height from
    which they may be paid, `texts` the key expressions in the order of `Derived.keys`; change goes to `change_branch`.
    """

    contract: Contract
    places: Mapping[bytes, Derived]
    payable: Mapping[bytes, int]
    texts: tuple[str, ...]
    change_branch: int


def card_of(contract: Contract, indexes: int) -> Card:
    """Derives `indexes` scripts of each branch, each by two implementations."""
    network = Network(contract.terms.network)
    places = {}
    descriptor = descriptor_of(contract.terms.descriptor, contract.terms.network)
    for branch in range(descriptor.branches):
        for index in descriptor.indices(indexes):
            derived = derived_at(contract, (branch, index))
            places[derived.script] = derived
    cooling = contract.policy.cooling_blocks
    payable = {script_of(one.address, network): one.added_at_height + cooling for one in contract.policy.allow_list}
    texts = tuple(one.text for one in expressions(contract))
    return Card(contract, places, payable, texts, descriptor.change_branch)
