"""What the fake treasury knows: a vault, a draft, three boxes, and payments at their steps."""

import base64

import msgspec

from controller.views.treasury import (
    AllowanceView,
    ApproverView,
    AskedBoxView,
    BoxView,
    CoinView,
    ContractSummary,
    ContractView,
    DestinationView,
    LimitsView,
    OpeningView,
    PathView,
    PaymentView,
    PendingPolicy,
    PolicyView,
    ProposalView,
)
from tests.controller.contracts.scene import static_key

VAULT, DRAFT = "aa" * 32, "bb" * 32
WAITS, SIGNS, REFUSED, BURIED, STUCK, PROVEN = "p-waits", "p-signs", "p-refused", "p-buried", "p-stuck", "p-proven"
UNSEALED = "p-new"
HEIGHT = 240_112
KRAKEN = "bcrt1q0j40vxxcxuvl3c03zze5ee29zxq2ymdvzv2jvt"
APPROVAL = b"what Ben signs"
PROPOSAL = b"what the proposer signs"
DESCRIPTOR = (
    "wsh(or_d(multi(2,[d34db33f/48h/1h/0h/2h]tpubA/<0;1>/*,[c0ffee00/48h/1h/0h/2h]tpubB/<0;1>/*),and_v(...)))#k2vw8q3z"
)
_FEES = {1: 208, 5: 1_040, 20: 4_160, 100: 20_800}


def payment_view(
    now_ms: int,
    id_: str,
    status: str,
    *,
    approved_by: tuple[str, ...] = (),
    to_sign: bytes | None = None,
    boxes: tuple[AskedBoxView, ...] = (),
    block_height: int | None = None,
    rule: str = "",
    detail: str = "",
    replaces: str = "",
) -> ProposalView:
    return ProposalView(
        proposal_id=id_,
        contract_id=VAULT,
        contract="Cold reserve",
        status=status,
        path="everyday",
        payments=(PaymentView(KRAKEN, 12_500_000, "Kraken deposit"),),
        fee_sat=2_080,
        change_sat=87_497_920,
        weight_wu=832,
        txid="4f" * 32,
        reason="power bill of November",
        asked_by="anna",
        proposed_by="Anna",
        proposed_at_ms=now_ms - 372_000,
        expiry_height=HEIGHT + 132,
        approved_by=approved_by,
        approvals_needed=2,
        boxes=boxes,
        block_height=block_height,
        rule=rule,
        detail=detail,
        psbt=base64.b64encode(b"psbt\xff" + bytes(range(256)) * 2).decode(),
        to_seal={},
        to_sign=to_sign,
        replaces=replaces,
    )


def boxes_view(now_ms: int) -> tuple[BoxView, ...]:
    def box(id_: str, node: str, **more: object) -> BoxView:
        number = int(node[-1])
        said = {
            "box_id": id_,
            "site": "west-1",
            "node": node,
            "heard_at_ms": now_ms - 4_000,
            "height": HEIGHT,
            "ledger_seq": 1_204,
            "ledger_head": "9d" * 32,
            "clock_stale": "",
            "stopped": "",
            "public_keys": (static_key(number),),
            "allowances": (AllowanceView(VAULT, 3, 1_125_000_000, 912_500_000),),
        }
        return BoxView(**(said | more))  # type: ignore[arg-type]

    unheard = {"heard_at_ms": None, "height": None, "ledger_seq": None, "ledger_head": None, "allowances": ()}
    return (
        box("box-one", "edge-1"),
        box("box-two", "edge-2", clock_stale="no header for 3 h 05 min", height=HEIGHT - 19),
        box("box-three", "edge-3", **unheard),
    )


def vault_view(now_ms: int) -> ContractView:
    people = ("Anna", "Ben", "Rosa")
    paths = (
        _path("everyday", "signer", "Any two of box one, box two and box three, at once.", 3, 2, None),
        _path("recovery", "recovery", "After 4,320 blocks (about 30 days) without a refresh, Rosa alone.", 1, 1, 4_320),
    )
    return ContractView(
        summary=ContractSummary(
            contract_id=VAULT,
            name="Cold reserve",
            template="treasury vault",
            phase="active",
            balance_sat=612_500_000,
            policy_version=3,
            open_proposals=2,
        ),
        descriptor=DESCRIPTOR,
        network="regtest",
        boxes=("box-one", "box-two", "box-three"),
        paths=paths,
        coins=tuple(
            CoinView(
                txid=f"{index:02x}" * 32,
                vout=index,
                amount_sat=amount,
                height=height,
                branch=0,
                index=index,
                openings=(opening,),
            )
            for index, (amount, height, opening) in enumerate(
                (
                    (100_000_000, HEIGHT - 4_188, _opening(HEIGHT + 132, 132, "due")),
                    (500_000_000, HEIGHT - 300, _opening(HEIGHT + 4_020, 4_020, "closed")),
                    (12_500_000, None, _opening(None, None, "unknown")),
                )
            )
        ),
        policy=PolicyView(
            policy_version=3,
            approvals_needed=2,
            approvers=(
                *(ApproverView(name=f"{name.lower()} token", person=name, role="approver") for name in people),
                ApproverView(name="rosa safe", person="Rosa", role="recovery"),
            ),
            owners=3,
            owners_needed=2,
            allow_list=(
                DestinationView(name="Kraken deposit", address=KRAKEN, added_at_height=231_000),
                DestinationView(name="West Texas Power", address="bcrt1q" + "z" * 38, added_at_height=238_400),
            ),
            cooling_blocks=144,
            limits=LimitsView(
                per_tx_sat=1_000_000_000,
                window_sat=1_500_000_000,
                window_blocks=144,
                lifetime_sat=2_000_000_000,
                fee_sat=100_000,
                fee_rate_sat_vb=200,
                weight_wu=40_000,
            ),
            recovery_role_people=("Rosa",),
            witnesses_needed=1,
        ),
        coming=None,
        pending=None,
        closed_reason="",
        drafted_by="Anna",
        drafted_at_ms=now_ms - 90 * 86_400_000,
    )


def drafted_view(vault: ContractView) -> ContractView:
    summary = ContractSummary(
        contract_id=DRAFT,
        name="Payouts 2027",
        template="batch payout",
        phase="draft",
        balance_sat=0,
        policy_version=None,
        open_proposals=0,
    )
    return msgspec.structs.replace(
        vault,
        summary=summary,
        coins=(),
        paths=vault.paths[:1],
        policy=None,
        pending=PendingPolicy(
            policy=vault.policy,
            sealed=False,
            policy_version=1,
            signed=1,
            needed=2,
            registered=(),
            refused={},
            to_sign=b"the first policy",
        ),
    )


def _path(name: str, role: str, sentence: str, keys: int, needed: int, older: int | None) -> PathView:
    return PathView(
        name=name,
        role=role,
        sentence=sentence,
        keys=("box one", "box two", "box three")[:keys] if role == "signer" else ("Rosa",),
        needed=needed,
        older_blocks=older,
        after_height=None,
        leaf=None,
        input_wu=420,
        vsize_vb=208,
        fees_sat=_FEES,
    )


def _opening(height: int | None, left: int | None, state: str) -> OpeningView:
    return OpeningView(path="recovery", opens_at_height=height, blocks_left=left, state=state)
