"""What the money door writes into the journal. Stream `proposal/<id>`.

PSBTs and transactions stand in it whole: whoever has the journal can judge every execution again.
"""

import msgspec

from controller.journal import EventCodec
from controller.signing.model import AskedBox, ChainPoint, Payment, Round

PREFIX = "proposal/"


class SpendingProposed(msgspec.Struct, frozen=True, kw_only=True):
    """Always first. `psbt` is the unsigned base, from which every request and every check is made.

    `external_sat` is what leaves the contract without the fee. `fallbacks` are paths that sign the same transaction
    where boxes of `path` stay away. `family` are the txids of all former versions, of which this one replaces the last,
    and `replaces` is that one's proposal; `helps` is the proposal whose change a child spends. `places` are (branch,
    index) of the coins, `change_index` that of the change on its branch, `change_place` its output.
    With a `message` it is a proof of control (BIP-322), which moves nothing and is never broadcast.
    """

    proposal_id: str
    contract_id: str
    network: str
    policy_version: int
    path: str
    fallbacks: tuple[str, ...]
    psbt: bytes
    txid: str
    inputs: tuple[tuple[str, int], ...]
    places: tuple[tuple[int, int], ...]
    payments: tuple[Payment, ...]
    external_sat: int
    fee_sat: int
    change_sat: int
    change_index: int | None
    change_place: int | None
    weight_wu: int
    expiry_height: int
    reason: str
    replaces: str = ""
    family: tuple[str, ...] = ()
    helps: str = ""
    depth: int = 6
    message: str | None = None


class ProposalSealed(msgspec.Struct, frozen=True):
    """`person` proposes it by his own key; `sealed` is what he signed, as it came."""

    proposal_id: str
    person: str
    sealed: bytes


class ApprovalGiven(msgspec.Struct, frozen=True):
    """`sealed` is what the person signed, as it came; boxes check it by themselves."""

    proposal_id: str
    person: str
    sealed: bytes


class ProposalApproved(msgspec.Struct, frozen=True):
    """Enough persons other than the proposer have approved."""

    proposal_id: str
    persons: tuple[str, ...]


class VerdictPassed(msgspec.Struct, frozen=True):
    """The rules allow this transaction at this height; `rules` are those that were asked.

    Asked before the first box hears of it, before every round, and before it is broadcast.
    """

    proposal_id: str
    txid: str
    rules: tuple[str, ...]
    height: int = 0


class RoundStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes are asked. `attempt` counts tries from 1, over all paths; a nonce is never carried from one to the next."""

    proposal_id: str
    attempt: int
    round: Round
    path: str
    asked: tuple[AskedBox, ...]
    until_ms: int


class RequestSent(msgspec.Struct, frozen=True):
    """The broker has taken it."""

    proposal_id: str
    request_id: str


class AnswerTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A box's answer passed every check; `psbt` holds what it added and nothing else.

    `ledger_seq` and `ledger_head` are where its own ledger stood. From a file `request_id` and `box_id` are empty.
    """

    proposal_id: str
    request_id: str
    party: str
    box_id: str
    path: str
    psbt: bytes
    ledger_seq: int = 0
    ledger_head: bytes = b""


class BoxRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A box said no by its own policy."""

    proposal_id: str
    request_id: str
    party: str
    box_id: str
    rule: str
    detail: str


class AnswerBlamed(msgspec.Struct, frozen=True, kw_only=True):
    """What came in the box's name is not what it should be; nothing of it is used."""

    proposal_id: str
    request_id: str
    party: str
    box_id: str
    rule: str
    detail: str


class RoundRepeated(msgspec.Struct, frozen=True, kw_only=True):
    """A person had the boxes that are still silent asked once more, with the same requests."""

    proposal_id: str
    attempt: int
    requests: tuple[str, ...]


class RoundAborted(msgspec.Struct, frozen=True):
    """A try that will not be completed; its nonces are void."""

    proposal_id: str
    attempt: int
    rule: str
    detail: str


class ProposalFinalised(msgspec.Struct, frozen=True, kw_only=True):
    """The one transaction that is ever broadcast for this proposal, judged by the consensus engine."""

    proposal_id: str
    txid: str
    wtxid: str
    raw: bytes
    path: str
    weight_wu: int


class ControlProven(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever has `signature` can check that the signers of `address` signed the message; `height` is the tip then."""

    proposal_id: str
    address: str
    signature: str
    height: int


class BroadcastWithheld(msgspec.Struct, frozen=True):
    """The rules no longer allow what is signed whole: it is kept and watched, and broadcast once they do again."""

    proposal_id: str
    rule: str
    detail: str


class TransactionBroadcast(msgspec.Struct, frozen=True):
    proposal_id: str
    txid: str
    number: int


class BroadcastRefused(msgspec.Struct, frozen=True):
    """The node does not take it yet, by its own reason. It may still come into a block, so the watch goes on."""

    proposal_id: str
    txid: str
    number: int
    detail: str


class ConflictSeen(msgspec.Struct, frozen=True):
    """From this height on the node misses its inputs: another transaction spends them, or their own left the chain."""

    proposal_id: str
    txid: str
    height: int


class ConflictEnded(msgspec.Struct, frozen=True):
    """Its coins are there again."""

    proposal_id: str
    txid: str


class TransactionConfirmed(msgspec.Struct, frozen=True):
    proposal_id: str
    txid: str
    block: ChainPoint


class TransactionReorganised(msgspec.Struct, frozen=True):
    """`block` left the chain; the same transaction is broadcast again."""

    proposal_id: str
    txid: str
    block: ChainPoint


class TransactionBuried(msgspec.Struct, frozen=True):
    proposal_id: str
    txid: str
    block: ChainPoint
    depth: int


class ProposalLapsed(msgspec.Struct, frozen=True):
    """It would have ended, by `rule` or (where that is empty) by its expiry, but those who were asked may have signed.

    Its coins stay held until every open request was refused, or until something has spent them.
    """

    proposal_id: str
    rule: str
    detail: str


class ProposalExpired(msgspec.Struct, frozen=True):
    proposal_id: str
    height: int


class ProposalRefused(msgspec.Struct, frozen=True):
    proposal_id: str
    rule: str
    detail: str


class ProposalCancelled(msgspec.Struct, frozen=True):
    proposal_id: str
    reason: str


class ProposalReplaced(msgspec.Struct, frozen=True):
    """Another version of the same spending is buried."""

    proposal_id: str
    by: str


class SpendingDenied(msgspec.Struct, frozen=True):
    """Somebody asked for what the door refuses. Stream `proposal-denied`."""

    contract_id: str
    rule: str
    detail: str


codec = EventCodec(
    (
        SpendingProposed,
        ProposalSealed,
        ApprovalGiven,
        ProposalApproved,
        VerdictPassed,
        RoundStarted,
        RequestSent,
        AnswerTaken,
        BoxRefused,
        AnswerBlamed,
        RoundRepeated,
        RoundAborted,
        ProposalFinalised,
        ControlProven,
        BroadcastWithheld,
        TransactionBroadcast,
        BroadcastRefused,
        ConflictSeen,
        ConflictEnded,
        TransactionConfirmed,
        TransactionReorganised,
        TransactionBuried,
        ProposalLapsed,
        ProposalExpired,
        ProposalRefused,
        ProposalCancelled,
        ProposalReplaced,
        SpendingDenied,
    )
)


def proposal_stream(proposal_id: str) -> str:
    return f"{PREFIX}{proposal_id}"
