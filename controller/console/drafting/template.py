"""The ten kinds of contract and what each asks beside the agreement."""

from controller.console.drafting.field import column, field, rows
from controller.console.feed import Content

_DAYS_30, _DAYS_90 = 4_320, 12_960
_EVERY_DAY = "Every day. All sign as one key (MuSig2); where one is away, a few sign by script."
_FIXED_PRICE = (
    "A fixed price for hash rate, settled by the difficulty at a block. Nobody pays in before both sides hold all "
    "promises of the other."
)


def kinds() -> list[Content]:
    """In the order in which a treasury grows."""
    return [
        _kind("treasury-vault", "Treasury vault", "Savings. Several sign; one recovery key after a rest.", _vault()),
        _kind("operating-wallet", "Operating wallet", _EVERY_DAY, _wallet("template")),
        _kind("decaying-quorum", "Decaying quorum", "Savings: one signature fewer after a long rest.", _decaying()),
        _kind("staged-recovery", "Staged recovery", "Savings: signers, deputies later, one key last.", _staged()),
        _kind("dated-reserve", "Dated reserve", "Tax or power: nobody before a block, then a quorum.", _reserve()),
        _kind("batch-payout", "Batch payout", "An operating wallet for a list of payees.", _payout()),
        _kind("revenue-split", "Revenue split", "An operating wallet for income that is shared.", _split()),
        _kind("power-escrow", "Power escrow", "Prepaid power with an arbiter, and a refund at a deadline.", _escrow()),
        _kind("hashrate-forward", "Hash-rate forward", _FIXED_PRICE, _forward()),
        _kind("free-policy", "Free policy", "Any condition that the policy language can say.", _free()),
    ]


def _kind(tag: str, label: str, what: str, fields: list[Content]) -> Content:
    return {"type": tag, "label": label, "what": what, "fields": fields}


def _signers(base: str = "template") -> Content:
    return field(f"{base}.signers", "Signers", "Parties whose keys make the quorum.", "parties", [])


def _needed(path: str = "template.needed", label: str = "Signatures needed") -> Content:
    return field(path, label, "So many of the signers sign each payment.", "int", 2)


def _recovery(base: str) -> list[Content]:
    return [
        field(f"{base}.recovery", "Recovery key", "Can spend alone after the rest. Keep it offline.", "party"),
        field(
            f"{base}.recovery_after_blocks",
            "Rest before recovery",
            "Blocks that a coin lies untouched before the recovery key opens it; at most 65,535.",
            "blocks",
            _DAYS_30,
        ),
    ]


def _vault() -> list[Content]:
    return [_signers(), _needed(), *_recovery("template")]


def _decaying() -> list[Content]:
    hint = "After so many blocks without a move, one signature fewer is enough."
    return [
        _signers(),
        _needed(),
        field("template.decays_after_blocks", "Rest before it decays", hint, "blocks", _DAYS_90),
    ]


def _staged() -> list[Content]:
    return [
        _signers(),
        _needed(),
        field("template.deputies", "Deputies", "Who steps in when signers are lost.", "parties", []),
        _needed("template.deputies_needed", "Deputies needed"),
        field("template.deputies_after_blocks", "Rest before deputies", "Blocks.", "blocks", _DAYS_30),
        field("template.last", "Last key", "Can spend alone at the very end.", "party"),
        field("template.last_after_blocks", "Rest before the last key", "Later than deputies.", "blocks", _DAYS_90),
    ]


def _reserve() -> list[Content]:
    hint = "Nobody can spend before this block, not even all signers together."
    return [_signers(), _needed(), field("template.opens_at_height", "Opens at block", hint, "height")]


def _wallet(base: str) -> list[Content]:
    hint = "So many of the signers can sign by script when one of them is away."
    return [
        _signers(base),
        field(f"{base}.fallback_needed", "Signatures by script", hint, "int", 2),
        *_recovery(base),
    ]


def _payout() -> list[Content]:
    return [
        *_wallet("template.wallet"),
        field("template.payees", "Payees", "Names of the allow-list that are paid in each batch.", "payees", []),
        field(
            "template.every_blocks",
            "A batch every",
            "Blocks; whoever proposes the batches keeps to them.",
            "blocks",
            144,
        ),
    ]


def _split() -> list[Content]:
    hint = "Whole parts: 70 and 30 say 70 to 30. Whoever proposes a payment keeps to them."
    columns = [column("payee", "Payee", "payee"), column("weight", "Parts", "int")]
    return [*_wallet("template.wallet"), rows("template.shares", "Shares", hint, "One more share", columns)]


def _escrow() -> list[Content]:
    return [
        field("template.miner", "Miner", "Who prepays.", "party"),
        field("template.supplier", "Supplier", "Who delivers power.", "party"),
        field("template.arbiter", "Arbiter", "Decides where the two disagree.", "party"),
        field("template.refund", "Refund key", "Another key of the miner; takes all back after the deadline.", "party"),
        field("template.deadline_height", "Deadline", "From this block on the refund key alone.", "height"),
    ]


def _forward() -> list[Content]:
    return [
        field("template.miner", "Miner", "Sells hash rate at a fixed price.", "party"),
        field("template.buyer", "Buyer", "Buys it.", "party"),
        field("template.hedge.hashrate_ghs", "Hash rate", "GH/s: 1 PH/s is 1,000,000.", "int"),
        field("template.hedge.duration_s", "Duration", "Seconds: 30 days are 2,592,000.", "int"),
        field("template.hedge.reward_sat", "Block reward", "Subsidy and average fees of a block, in sat.", "sat"),
        field("template.hedge.price_sat", "Price agreed", "For all of the hash rate, in sat.", "sat"),
        field("template.hedge.miner_collateral_sat", "Collateral of the miner", "The most it can lose.", "sat"),
        field("template.hedge.buyer_collateral_sat", "Collateral of the buyer", "The most it can lose.", "sat"),
        field("template.oracle_key", "Key of the oracle", "Its public x-only key, 64 hex digits."),
        field("template.event_id", "Event of the oracle", "As the oracle announced it."),
        field("template.unit", "Unit of the oracle", "It tells the difficulty divided by this.", "int"),
        field("template.settle_height", "Settles at block", "Whose difficulty decides.", "height"),
        field("template.refund_height", "Refund from block", "A week or more after it settles.", "height"),
        field("template.miner_address", "Address of the miner", "Where the miner's share goes."),
        field("template.buyer_address", "Address of the buyer", "Where the buyer's share goes."),
        field("template.fee_rate_sat_vb", "Fee rate", "Of the settlement, in sat/vB, fixed now.", "int"),
    ]


def _free() -> list[Content]:
    hint = "As or(9@thresh(2,pk(Anna),pk(Ben),pk(Carl)),1@and(pk(Rosa),older(4320))), with names of parties."
    return [
        field("template.policy", "Policy", hint, "long", wide=True),
        field(
            "template.taproot",
            "As a Taproot tree",
            "Unused conditions stay hidden when a coin is spent.",
            "flag",
            False,
        ),
    ]
