"""Two hash-rate forwards: one that waits for owners and approvals, and one of which only the terms are known."""

import msgspec

from controller.people.model import Actor, Permission
from controller.treasury.forward_terms import terms_view
from controller.views.forward import ForwardTermsView, ForwardView, OfferWish, StakeView, TakeOfferWish
from shared.errors import Denied, NotFound
from shared.wire.forward import ForwardTerms, Hedge

FORWARD, FRESH = "ee" * 32, "ff" * 32
HOSTILE = "<img src=x onerror=window.hacked=1>"
ADDRESS = "bcrt1q0j40vxxcxuvl3c03zze5ee29zxq2ymdvzv2jvt"
HEDGE = Hedge(  # 1 PH/s for 30 days at 3.125 BTC a block earns 1,886,000 sat at difficulty 1e14
    hashrate_ghs=1_000_000,
    duration_s=2_592_000,
    reward_sat=312_500_000,
    price_sat=1_886_000,
    miner_collateral_sat=600_000,
    buyer_collateral_sat=600_000,
)
TERMS = ForwardTerms(
    network="regtest",
    miner_key=b"\x02" * 33,
    buyer_key=b"\x03" * 33,
    hedge=HEDGE,
    oracle_key=b"\x07" * 32,
    event_id=f"difficulty {HOSTILE}",
    unit=100_000_000,
    base=2,
    nb_digits=24,
    rounding_sat=10_000,
    settle_height=244_112,
    refund_height=245_120,
    miner_address=ADDRESS,
    buyer_address=ADDRESS,
    fee_rate_sat_vb=5,
)


class FakeForward:
    def __init__(self) -> None:
        self.begun = {FORWARD: _agreed()}
        self.told: list[tuple[str, object]] = []

    def find(self, contract_id: str) -> ForwardView | None:
        return self.begun.get(contract_id)

    def forward(self, contract_id: str) -> ForwardView:
        found = self.find(contract_id)
        if found is None:
            raise Denied("forward.unknown", "no forward was begun")
        return found

    def terms(self, contract_id: str) -> ForwardTermsView:
        if contract_id not in (FORWARD, FRESH):
            raise Denied("forward.no-forward", f"contract {contract_id[:12]} is a treasury-vault")
        return terms_view(contract_id, "Winter hedge", TERMS)

    def stake(self, contract_id: str, side: str) -> StakeView:
        return StakeView(side=side, address=ADDRESS, amount_sat=601_250)

    def document(self, contract_id: str, name: str, actor: Actor) -> bytes:
        actor.require(Permission.SPEND)
        if name not in self.forward(contract_id).documents:
            raise NotFound(f"there is no document {name!r} to send in this phase")
        return b"sealed\xff" + name.encode()

    async def to_sign(self, contract_id: str, person: str, actor: Actor) -> bytes:
        actor.require(Permission.SPEND)
        return f"{person} signs".encode()

    async def offer(self, contract_id: str, wish: OfferWish, actor: Actor) -> ForwardView:
        if wish.stake == "mine":
            raise Denied("forward.other-terms", f"stake: {HOSTILE} is no coin")
        self.begun[contract_id] = msgspec.structs.replace(_agreed(), phase="offered", their_stake="")
        return self._take("offer", contract_id, wish, actor)

    async def take_offer(self, contract_id: str, wish: TakeOfferWish, actor: Actor) -> ForwardView:
        self.begun[contract_id] = msgspec.structs.replace(_agreed(), offered=False)
        return self._take("take", contract_id, wish, actor)

    async def take_promise(self, contract_id: str, document: bytes, actor: Actor) -> ForwardView:
        return self._take("promise", contract_id, document, actor)

    async def sign_deed(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView:
        return self._take("deed", contract_id, sealed, actor)

    async def word(self, contract_id: str, sealed: bytes, actor: Actor) -> ForwardView:
        if sealed == b"foreign":
            raise Denied("forward.bad-approval", "nobody of the policy signed this")
        return self._take("word", contract_id, sealed, actor)

    async def attest(self, contract_id: str, attestation: bytes, actor: Actor) -> ForwardView:
        return self._take("attest", contract_id, attestation, actor)

    async def take_back(self, contract_id: str, actor: Actor) -> ForwardView:
        return self._take("return", contract_id, None, actor)

    async def ask_again(self, contract_id: str, actor: Actor) -> ForwardView:
        return self._take("ask", contract_id, None, actor)

    def _take(self, what: str, contract_id: str, told: object, actor: Actor) -> ForwardView:
        actor.require(Permission.SPEND)
        self.told.append((what, told))
        return self.forward(contract_id)


def _agreed() -> ForwardView:
    return ForwardView(
        contract_id=FORWARD,
        side="miner",
        phase="agreed",
        awaited="the owners' deed, a proposal and approvals, then our box",
        offered=True,
        event_id=TERMS.event_id,
        settle_height=TERMS.settle_height,
        refund_height=TERMS.refund_height,
        our_stake="ab" * 32 + ":0",
        their_stake="cd" * 32 + ":1",
        stake_sat=601_250,
        funding_txid="4f" * 32,
        deed_to_sign=b"the deed",
        deed_signed=1,
        deed_needed=2,
        proposed_by="",
        approved_by=(),
        documents=("offer",),
        refused_by="limit.window",
        refused="window of 144 blocks is spent",
        trouble="",
        outcome=None,
        closing="",
        closing_txid="",
    )
