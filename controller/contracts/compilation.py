"""From a template's descriptor text to terms that boxes register, with every reason why not."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from controller.contracts.compiled import Compiled
from controller.contracts.ownership import Owners
from controller.contracts.refusal import Refusal
from controller.contracts.route import Route, routes
from controller.contracts.template.agreement import Agreement, check_agreement
from shared.bitcoin.descriptor import Descriptor
from shared.errors import BitcoinMalformed, Denied, InsaneScript
from shared.person import folded
from shared.wire.contract import ContractTerms, Party, SpendingPolicy, contract_id

T = TypeVar("T", bound=msgspec.Struct)


def compiled(
    agreement: Agreement, template: msgspec.Struct, descriptor: str, *, expires_at_height: int | None = None
) -> Compiled:
    """Terms and first policy. Paths are read from the descriptor, never from the template.

    Denied with the rule of whatever does not fit: `template.insane` carries the reason of the two implementations.
    """
    check_agreement(agreement)
    Owners(agreement.parties)
    parsed = _parsed(descriptor, agreement)
    found = routes(parsed, agreement.parties)
    _check_parties(found, agreement.parties)
    terms = ContractTerms(
        network=agreement.network.value,
        name=agreement.name,
        template=str(template.__struct_config__.tag),
        descriptor=parsed,
        epoch=agreement.epoch,
        parties=agreement.parties,
        paths=tuple(route.path for route in found),
        birth_height=agreement.birth_height,
    )
    return Compiled(
        terms=_valid(terms, ContractTerms),
        policy=_valid(_policy(agreement, contract_id(terms)), SpendingPolicy),
        parameters=msgspec.json.encode(template).decode(),
        expires_at_height=expires_at_height,
    )


def _parsed(text: str, agreement: Agreement) -> str:
    """Canonical, with checksum."""
    try:
        return Descriptor.parse(text, agreement.network).checksum_text
    except (BitcoinMalformed, InsaneScript) as error:
        raise Denied(Refusal.INSANE, error.detail) from error


def _check_parties(found: Sequence[Route], parties: Sequence[Party]) -> None:
    """Everybody named can sign somewhere, and no quorum of several is one person's."""
    used = {name for route in found for name in route.path.keys}
    if idle := [party.name for party in parties if party.name not in used]:
        raise Denied(Refusal.UNUSED_KEY, f"{idle[0]} is a party, but no way to spend needs the key")
    people = {party.name: party.person for party in parties}
    for route in found:
        holders = [people[name] for name in route.path.keys]
        held = Counter(map(folded, holders))
        for person in holders:
            if 1 < route.path.needed <= held[folded(person)]:
                raise Denied(
                    Refusal.ONE_PERSON,
                    f"{person} holds {held[folded(person)]} keys of the path {route.path.name!r}, which needs"
                    f" {route.path.needed}: one person could spend alone",
                )


def _policy(agreement: Agreement, of: str) -> SpendingPolicy:
    return SpendingPolicy(
        contract_id=of,
        policy_version=1,
        approvals_needed=agreement.approvals_needed,
        approvers=agreement.approvers,
        owners=agreement.owners,
        owners_needed=agreement.owners_needed,
        allow_list=agreement.allow_list,
        cooling_blocks=agreement.cooling_blocks,
        limits=agreement.limits,
        recovery_role_people=agreement.recovery_role_people,
        witnesses=agreement.witnesses,
        witnesses_needed=agreement.witnesses_needed,
    )


def _valid(document: T, kind: type[T]) -> T:
    """The document as a box will read it; Denied `template.bad-field` names the field that it would refuse."""
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=kind)
    except msgspec.MsgspecError as error:
        raise Denied(Refusal.BAD_FIELD, f"boxes would not read this contract: {error}") from error
