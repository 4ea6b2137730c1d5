"""The recovery ceremony: the owners tell the witnesses of a box that lost rows which head of its ledger counts now."""

from collections.abc import Sequence

from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import EntryKind, Head, Ledger, WitnessBook
from agent.signer.ledger.witness import WitnessedBody
from agent.signer.policy.document import sealed_by_owners
from agent.signer.rule import REQUEST_REPLAY
from shared.errors import Denied
from shared.wire.codec import decode
from shared.wire.envelope import Envelope
from shared.wire.signing import RESTART_DOMAIN, LedgerRestart


async def accept_restart(
    ledger: Ledger, sealed: bytes, owners: Sequence[VerifyKey], needed: int, now: ChainTime
) -> None:
    """`register.owners` where too few of the owners signed; `request.replay` where this ceremony took place before, so
    that nobody can set a box back by an old word.
    """
    restart = sealed_by_owners(RESTART_DOMAIN, sealed, owners, needed, LedgerRestart)
    for row in await ledger.all_of(EntryKind.WITNESSED, restart.box_id):
        if _ceremony(row.body) == restart.ceremony:
            raise Denied(REQUEST_REPLAY, f"ceremony {restart.ceremony} took place before; begin a new one")
    await WitnessBook(ledger).accept_restart(Head(restart.box_id, restart.seq, restart.head), sealed, now)


def _ceremony(body: bytes) -> str:
    evidence = decode(body, WitnessedBody).evidence
    return decode(decode(evidence, Envelope).payload, LedgerRestart).ceremony if evidence else ""
