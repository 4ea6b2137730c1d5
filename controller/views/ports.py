"""What API and console need of the rest of the controller. The composition root fills an `Operations` with adapters.

Methods without `async` answer from memory and may be called every second. Unknown names raise NotFound; orders raise
Forbidden for a missing role, Denied with the rule for a refusal, Conflict where somebody was faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.people.model import Actor
from controller.views.alarm import AlarmView
from controller.views.command import (
    CommandDetail,
    CommandPage,
    CommandPreview,
    CommandRequest,
    CommandView,
    DeviceCommand,
    Selection,
)
from controller.views.curtailment import CurtailmentPreview, CurtailmentRequest, CurtailmentStart, CurtailmentView
from controller.views.decision import DecisionRecord
from controller.views.dispatch import DecisionView, Explanation
from controller.views.energy import EnergyState, PricePoint
from controller.views.event import EventPage, EventRequest
from controller.views.execution import ExecutionAnswer, ExecutionView, ExecutionWish
from controller.views.forward import ForwardTermsView, ForwardView, OfferWish, StakeView, TakeOfferWish
from controller.views.frame import FleetFrame
from controller.views.history import GapView, Series, SeriesRequest
from controller.views.hold import HoldView, Released
from controller.views.journal import JournalPage
from controller.views.miner import MinerDetail
from controller.views.site import NodeView, SiteView
from controller.views.treasury import (
    ClaimView,
    ContractView,
    ControlWish,
    DraftView,
    PaymentView,
    PolicyView,
    ProofsView,
    ProposalView,
    ReceiveView,
    RefreshWish,
    RestartView,
    SpendingWish,
    TreasuryState,
)
from shared.clock import Clock


class Fleet(Protocol):
    def sites(self) -> tuple[SiteView, ...]: ...

    def frame(self, site: str) -> FleetFrame:
        """The newest frame; the same object as long as nothing has changed but at most a second old by `at_ms`."""
        ...

    async def miner(self, site: str, device_id: str) -> MinerDetail: ...


class Energy(Protocol):
    def state(self, site: str) -> EnergyState: ...

    async def prices(self, site: str, from_ms: int, to_ms: int) -> tuple[PricePoint, ...]: ...


class History(Protocol):
    async def series(self, request: SeriesRequest) -> Series: ...


class Dispatch(Protocol):
    def decision(self, site: str) -> DecisionView | None:
        """None before the first decision."""
        ...

    def explain(self, site: str, device_id: str) -> Explanation | None: ...


class Decisions(Protocol):
    def listed(self, site: str, *, limit: int = 50) -> tuple[DecisionRecord, ...]:
        """Newest first, at most the latest five hundred."""
        ...

    async def one(self, site: str, decision_id: str) -> DecisionRecord:
        """However old."""
        ...


class Commands(Protocol):
    async def preview(self, request: CommandRequest, actor: Actor) -> CommandPreview: ...

    async def issue(self, request: CommandRequest, actor: Actor) -> CommandView:
        """Denied `command.not-confirmed` where `request.confirm` is not what a preview names now."""
        ...

    async def approve(self, command_id: str, actor: Actor) -> CommandView:
        """By another person than the one who issued it."""
        ...

    async def retry(self, command_id: str, actor: Actor) -> CommandView:
        """A new command for the contradicted and unknown devices only."""
        ...

    async def listed(self, site: str, *, offset: int = 0, limit: int = 50) -> CommandPage: ...

    async def of_device(self, site: str, device_id: str, *, limit: int = 10) -> tuple[DeviceCommand, ...]:
        """Newest first."""
        ...

    async def detail(self, command_id: str) -> CommandDetail: ...


class Holds(Protocol):
    def listed(self, site: str) -> tuple[HoldView, ...]:
        """Newest first."""
        ...

    async def release(self, site: str, selection: Selection, reason: str, actor: Actor) -> Released:
        """Denied `command.not-held` where nobody of the selection is held."""
        ...


class Curtailments(Protocol):
    async def preview(self, request: CurtailmentRequest) -> CurtailmentPreview: ...

    async def start(self, preview_id: str, start: CurtailmentStart, actor: Actor) -> CurtailmentView:
        """Denied `command.not-confirmed` where `start.confirm` is not what the preview named."""
        ...

    async def approve(self, curtailment_id: str, actor: Actor) -> CurtailmentView: ...

    async def end(self, curtailment_id: str, reason: str, actor: Actor) -> CurtailmentView: ...

    def listed(self, site: str) -> tuple[CurtailmentView, ...]:
        """Newest first, at most fifty."""
        ...


class Alarms(Protocol):
    def standing(self, site: str) -> tuple[AlarmView, ...]:
        """By priority, then newest first."""
        ...

    async def acknowledge(self, alarm_id: str, actor: Actor) -> AlarmView: ...


class Events(Protocol):
    async def listed(self, request: EventRequest) -> EventPage:
        """Malformed for a `before` that no page gave."""
        ...


class Nodes(Protocol):
    def nodes(self, site: str) -> tuple[NodeView, ...]: ...

    async def gaps(self, site: str, *, limit: int = 100) -> tuple[GapView, ...]: ...


class Journal(Protocol):
    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> JournalPage: ...


class ForwardDesk(Protocol):
    """Denied carries the id of every refusal; what changes anything needs the permission to spend."""

    def forward(self, contract_id: str) -> ForwardView: ...

    def find(self, contract_id: str) -> ForwardView | None:
        """None before anything was offered under the contract."""
        ...

    def terms(self, contract_id: str) -> ForwardTermsView:
        """Known as soon as the contract is. Denied where it is of another form."""
        ...

    def stake(self, contract_id: str, side: str) -> StakeView: ...

    async def offer(self, contract_id: str, wish: OfferWish, actor: Actor) -> ForwardView: ...

    async def take_offer(self, contract_id: str, wish: TakeOfferWish, actor: Actor) -> ForwardView: ...

    async def take_promise(self, contract_id: str, document: bytes, actor: Actor) -> ForwardView: ...

    def document(self, contract_id: str, name: str, actor: Actor) -> bytes: ...

    async def sign_deed(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView: ...

    async def to_sign(self, contract_id: str, person: str, actor: Actor) -> bytes: ...

    async def word(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView: ...

    async def attest(self, contract_id: str, attestation: bytes, actor: Actor) -> ForwardView: ...

    async def take_back(self, contract_id: str, actor: Actor) -> ForwardView: ...

    async def ask_again(self, contract_id: str, actor: Actor) -> ForwardView: ...


class ExecutionDesk(Protocol):
    async def execute(
        self, contract_id: str, wishes: tuple[ExecutionWish, ...], actor: Actor
    ) -> tuple[ExecutionAnswer, ...]:
        """An answer for each in order, durable before it is given. Denied where no workers are set."""
        ...

    def executions(self, contract_id: str, limit: int) -> tuple[ExecutionView, ...]:
        """The newest, newest first."""
        ...


class TreasuryDesk(Protocol):
    """Denied carries the id of every refusal; what changes anything needs the permission to spend."""

    async def state(self) -> TreasuryState: ...

    async def contract(self, contract_id: str) -> ContractView: ...

    async def receive(self, contract_id: str, actor: Actor) -> ReceiveView:
        """The next unused receiving address; Denied until every box has registered the contract."""
        ...

    async def preview(self, document: bytes, actor: Actor) -> DraftView:
        """What `draft` would write down; refused as it would be."""
        ...

    async def draft(self, document: bytes, actor: Actor) -> ContractView:
        """`template`, `agreement` and `boxes` as JSON; Malformed with the place where it is none."""
        ...

    def proofs(self) -> ProofsView: ...

    def claim(self, claim_id: str) -> str:
        """The claim's document as JSON, for whoever checks it."""
        ...

    async def keep_claim(self, document: bytes, actor: Actor) -> ClaimView:
        """Check and keep what `bes claim prove` wrote with the owner's key."""
        ...

    async def preview_policy(self, contract_id: str, document: bytes, actor: Actor) -> PolicyView:
        """What `change_policy` would draft; refused as it would be."""
        ...

    async def change_policy(self, contract_id: str, document: bytes, actor: Actor) -> ContractView:
        """Draft the next policy: `allow_list`, `cooling_blocks`, `limits` and `approvals_needed` as JSON."""
        ...

    async def withdraw_policy(self, contract_id: str, reason: str, actor: Actor) -> ContractView:
        """Take back a policy that too few owners have signed."""
        ...

    async def approve_policy(self, contract_id: str, sealed: bytes, actor: Actor) -> ContractView: ...

    async def tell_boxes(self, contract_id: str, actor: Actor) -> ContractView:
        """Tell the sealed policy to those boxes again that have not taken it."""
        ...

    def proposals(self, contract_id: str) -> tuple[ProposalView, ...]:
        """Newest first."""
        ...

    def proposal(self, proposal_id: str) -> ProposalView: ...

    async def propose(self, contract_id: str, wish: SpendingWish, actor: Actor) -> ProposalView: ...

    async def split(self, contract_id: str, amount_sat: int, actor: Actor) -> tuple[PaymentView, ...]:
        """An amount in parts by the shares of the contract, to the satoshi; propose them as they are."""
        ...

    async def prove(self, contract_id: str, wish: ControlWish, actor: Actor) -> ProposalView:
        """Ask the boxes for a proof of control over an address; it goes the way of a payment and costs nothing."""
        ...

    async def refresh(self, contract_id: str, wish: RefreshWish, actor: Actor) -> ProposalView:
        """Propose to move the coins that are due; Denied where none is."""
        ...

    async def seal(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView:
        """Take the proposer's own signature, of `to_seal`; before it nobody can approve."""
        ...

    async def approve(self, proposal_id: str, sealed: bytes, actor: Actor) -> ProposalView: ...

    async def cancel(self, proposal_id: str, reason: str, actor: Actor) -> ProposalView: ...

    async def replace(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView: ...

    async def help(self, proposal_id: str, fee_rate_sat_vb: int, reason: str, actor: Actor) -> ProposalView:
        """A child that spends the change of a stuck transaction and pays for both."""
        ...

    async def ask_again(self, proposal_id: str, actor: Actor) -> ProposalView:
        """The requests that no box has answered go out once more."""
        ...

    def restart_document(self, box_id: str, actor: Actor) -> RestartView:
        """What the owners sign after a box lost rows of its ledger; another ceremony each time."""
        ...

    async def restart_box(self, box_id: str, sealed: Sequence[bytes], actor: Actor) -> RestartView:
        """Send what the owners signed to the witnesses of the box."""
        ...

    async def import_signatures(self, proposal_id: str, party: str, psbt: bytes, actor: Actor) -> ProposalView: ...


@dataclass(frozen=True)
class Operations:
    """Everything that API and console may ask, in one value."""

    clock: Clock
    fleet: Fleet
    energy: Energy
    history: History
    dispatch: Dispatch
    decisions: Decisions
    commands: Commands
    holds: Holds
    curtailments: Curtailments
    alarms: Alarms
    events: Events
    nodes: Nodes
    journal: Journal
