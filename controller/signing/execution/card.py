"""A contract as a worker holds it: addresses by their script, destinations too. Built once, read often."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from controller.signing.execution.place import Form, Place, form_of, place_of
from controller.signing.ownership import derived_at
from controller.signing.ports import Contract
from controller.signing.spending import descriptor_of
from shared.bitcoin.address import script_of
from shared.bitcoin.network import Network


@dataclass(frozen=True, slots=True)
class Card:
    """`places` are the first addresses of all branches by path and script, `change` the maps of change outputs by
    script, `payable` the destinations with the height from which they may be paid.
    """

    contract: Contract
    places: Mapping[str, Mapping[bytes, Place]]
    change: Mapping[bytes, bytes]
    payable: Mapping[bytes, int]


Forms = MutableMapping[tuple[int, int], Form]
"""Of one contract by branch and index: what no policy changes, and what takes the time."""


def card_of(contract: Contract, indexes: int, known: Forms | None = None) -> Card:
    """Derives `indexes` scripts of each branch, each by two implementations; `known` gets what it lacks."""
    descriptor = descriptor_of(contract.terms.descriptor, contract.terms.network)
    known = {} if known is None else known
    forms = []
    for place in ((branch, index) for branch in range(descriptor.branches) for index in descriptor.indices(indexes)):
        if place not in known:
            known[place] = form_of(derived_at(contract, place))
        forms.append(known[place])
    network, cooling = Network(contract.terms.network), contract.policy.cooling_blocks
    return Card(
        contract,
        {
            path.name: {form.derived.script: place_of(contract, path, form) for form in forms}
            for path in contract.terms.paths
        },
        {form.derived.script: form.output_map for form in forms if form.derived.branch == descriptor.change_branch},
        {script_of(one.address, network): one.added_at_height + cooling for one in contract.policy.allow_list},
    )
