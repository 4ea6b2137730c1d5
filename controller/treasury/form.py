"""What a treasurer sends to draft a contract, as JSON objects with names; documents on the wire are arrays."""

import re
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from controller.contracts.revision import Revision
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.escrow import PowerEscrow
from controller.contracts.template.forward import HashrateForward
from controller.contracts.template.free import FreePolicy
from controller.contracts.template.operating import OperatingWallet
from controller.contracts.template.payout import BatchPayout, RevenueSplit
from controller.contracts.template.vault import DatedReserve, DecayingQuorum, StagedRecovery, TreasuryVault
from shared.bitcoin.network import Network
from shared.errors import Malformed
from shared.wire.contract import Approver, Destination, Limits, Party

Template = (
    TreasuryVault
    | DecayingQuorum
    | StagedRecovery
    | DatedReserve
    | OperatingWallet
    | BatchPayout
    | RevenueSplit
    | PowerEscrow
    | HashrateForward
    | FreePolicy
)


@lru_cache(maxsize=1_024)
def filled_in(parameters: str) -> Template:
    """The template of a contract as it was filled in; what its journal holds was checked when it was drafted."""
    template: Template = msgspec.json.decode(parameters, type=Template)
    return template


T = TypeVar("T", bound=msgspec.Struct)
_NUMBERED = re.compile(r"`\$\[(\d+)\]`")


class PartyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    person: str
    key: str
    role: str


class ApproverForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    person: str
    role: str
    public_key: bytes


class DestinationForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    address: str
    added_at_height: int


class LimitsForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    per_tx_sat: int
    window_sat: int
    window_blocks: int
    lifetime_sat: int
    fee_sat: int
    fee_rate_sat_vb: int
    weight_wu: int


class AgreementForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As `Agreement`; Ed25519 keys are base64."""

    network: Network
    name: str
    epoch: int
    birth_height: int
    parties: tuple[PartyForm, ...]
    owners: tuple[bytes, ...]
    owners_needed: int
    approvers: tuple[ApproverForm, ...]
    approvals_needed: int
    allow_list: tuple[DestinationForm, ...]
    cooling_blocks: int
    limits: LimitsForm
    recovery_role_people: tuple[str, ...] = ()
    witnesses: tuple[bytes, ...] = ()
    witnesses_needed: int = 0

    def agreement(self) -> Agreement:
        """Malformed with the field that a box would not read."""
        plain = {name: getattr(self, name) for name in self.__struct_fields__}
        return Agreement(
            **plain
            | {
                "parties": _each_wired(Party, self.parties, "parties"),
                "approvers": _each_wired(Approver, self.approvers, "approvers"),
                "allow_list": _each_wired(Destination, self.allow_list, "allow_list"),
                "limits": wired(Limits, self.limits, "agreement.limits"),
            }
        )


class ContractForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A template filled in, who agrees to it, and the ids of the boxes that hold its keys."""

    template: Template
    agreement: AgreementForm
    boxes: tuple[str, ...]
    succeeds: str = ""


class PolicyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a later policy changes, whole: a destination that is left out may not be paid any more."""

    allow_list: tuple[DestinationForm, ...]
    cooling_blocks: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    limits: LimitsForm
    approvals_needed: Annotated[int, msgspec.Meta(ge=1, le=100)]

    def revision(self) -> Revision:
        """Malformed with the field that a box would not read."""
        return Revision(
            allow_list=tuple(wired(Destination, one, f"allow_list[{at}]") for at, one in enumerate(self.allow_list)),
            cooling_blocks=self.cooling_blocks,
            limits=wired(Limits, self.limits, "limits"),
            approvals_needed=self.approvals_needed,
        )


def read_policy(document: bytes) -> PolicyForm:
    """Malformed with the place in the document."""
    return _decoded(document, PolicyForm)


def read(document: bytes) -> ContractForm:
    """Malformed with the place in the document."""
    return _decoded(document, ContractForm)


def _decoded(document: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(document, type=kind)
    except msgspec.MsgspecError as error:
        raise Malformed(f"body: {error}") from error


def wired(kind: type[T], named: msgspec.Struct, place: str) -> T:
    """The same fields in the same order, checked as a box would; Malformed with the place in the document."""
    try:
        return msgspec.convert(msgspec.structs.astuple(named), kind)
    except msgspec.ValidationError as error:
        said = _NUMBERED.sub(lambda found: f"`$.{place}.{kind.__struct_fields__[int(found[1])]}`", str(error))
        raise Malformed(f"body: {said}") from error


def _each_wired(kind: type[T], named: tuple[msgspec.Struct, ...], place: str) -> tuple[T, ...]:
    return tuple(wired(kind, one, f"agreement.{place}[{index}]") for index, one in enumerate(named))
