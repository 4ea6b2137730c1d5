"""What every contract says beside its script: who is party to it, who approves, how much may go where."""

from collections.abc import Iterable

import msgspec

from controller.contracts.refusal import Refusal
from shared.bitcoin.address import script_of
from shared.bitcoin.network import Network
from shared.errors import BitcoinMalformed, Denied
from shared.person import folded
from shared.wire.contract import Approver, Destination, Limits, Party


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Filled in once for any template. Of `owners` (public Ed25519 keys) `owners_needed` sign each policy."""

    network: Network
    name: str
    epoch: int
    birth_height: int
    parties: tuple[Party, ...]
    owners: tuple[bytes, ...]
    owners_needed: int
    approvers: tuple[Approver, ...]
    approvals_needed: int
    allow_list: tuple[Destination, ...]
    cooling_blocks: int
    limits: Limits
    recovery_role_people: tuple[str, ...] = ()
    witnesses: tuple[bytes, ...] = ()
    witnesses_needed: int = 0

    def party(self, name: str) -> Party:
        """Denied `template.no-such-party`."""
        found = next((party for party in self.parties if party.name == name), None)
        if found is None:
            known = ", ".join(party.name for party in self.parties)
            raise Denied(Refusal.NO_SUCH_PARTY, f"{name!r} is none of the parties ({known})")
        return found

    def keys(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Key expressions of parties, in the order of their names."""
        return tuple(self.party(name).key for name in names)


def check_agreement(agreement: Agreement) -> None:
    """Denied with the first thing that does not fit; what a script means is checked after compilation."""
    _check_names(agreement)
    _check_people(agreement)
    check_limits(agreement.limits)
    check_destinations(agreement.allow_list, agreement.network)


def check_address(address: str, network: Network, name: str) -> None:
    """Denied `template.bad-destination` for an address that is none, or one of another network."""
    try:
        script_of(address, network)
    except BitcoinMalformed as error:
        raise Denied(Refusal.BAD_DESTINATION, f"{name}: {error.detail}") from error


def check_destinations(allow_list: tuple[Destination, ...], network: Network) -> None:
    """Denied `template.bad-name`, `template.bad-destination`."""
    _check_distinct("destination", [destination.name for destination in allow_list])
    names: dict[str, str] = {}
    for destination in allow_list:
        check_address(destination.address, network, destination.name)
        other = names.setdefault(destination.address, destination.name)
        if other != destination.name:
            raise Denied(Refusal.BAD_DESTINATION, f"{other} and {destination.name} have the same address")


def _check_names(agreement: Agreement) -> None:
    if not agreement.name.strip():
        raise Denied(Refusal.BAD_NAME, "give the contract a name")
    _check_distinct("party", [party.name for party in agreement.parties])
    _check_distinct("approver", [approver.name for approver in agreement.approvers])


def _check_distinct(kind: str, names: list[str]) -> None:
    if doubled := sorted({name for name in names if names.count(name) > 1 or not name.strip()}):
        raise Denied(Refusal.BAD_NAME, f"{kind} {doubled[0]!r} is named twice or not at all")


def _check_people(agreement: Agreement) -> None:
    """Enough different people for every signature and approval that will be asked for."""
    needed, found = agreement.owners_needed, len(set(agreement.owners))
    if not 1 <= needed <= found:
        raise Denied(Refusal.BAD_QUORUM, f"{needed} owners sign a policy, and there are {found}")
    check_approvals(agreement.approvers, agreement.approvals_needed)
    if not 0 <= agreement.witnesses_needed <= len(agreement.witnesses):
        raise Denied(Refusal.BAD_QUORUM, f"{agreement.witnesses_needed} witnesses are more than there are")
    keys = [approver.public_key for approver in agreement.approvers]
    for what, listed in (("owners", agreement.owners), ("approvers", keys), ("witnesses", agreement.witnesses)):
        if len(set(listed)) != len(listed):
            raise Denied(Refusal.BAD_QUORUM, f"two {what} have the same key; who signs twice is not two")
    recovery = {approver.person for approver in agreement.approvers if approver.role == "recovery"}
    if strangers := sorted(set(agreement.recovery_role_people) - recovery):
        raise Denied(Refusal.BAD_QUORUM, f"{strangers[0]} may call for recovery, but has no key of that role")


def check_approvals(approvers: Iterable[Approver], needed: int) -> None:
    """Denied `template.bad-quorum` unless enough approve whoever proposes. Spellings of a name are one person."""
    named = [(folded(approver.person), approver.role) for approver in approvers]
    everybody, approving = {person for person, _ in named}, {person for person, role in named if role == "approver"}
    if "" in everybody:
        raise Denied(Refusal.BAD_NAME, "a key belongs to a person without a name that can be read")
    if not 1 <= needed <= len(approving):
        raise Denied(Refusal.BAD_QUORUM, f"{needed} people approve a payment, and there are {len(approving)}")
    if everybody == approving and len(approving) == needed:
        detail = f"all {needed} people have to approve, so nobody could propose; name a proposer beside them"
        raise Denied(Refusal.BAD_QUORUM, detail)


def check_limits(limits: Limits) -> None:
    """Denied `template.bad-limits`."""
    if not 0 < limits.per_tx_sat <= limits.window_sat <= limits.lifetime_sat:
        raise Denied(
            Refusal.BAD_LIMITS, "limits rise: 0 < one transaction <= one window <= lifetime, or nothing could be spent"
        )
    if limits.window_blocks < 1 or limits.fee_sat < 1 or limits.fee_rate_sat_vb < 1 or limits.weight_wu < 1:
        raise Denied(Refusal.BAD_LIMITS, "window, fee, fee rate and weight are at least 1")
