"""The recovery ceremony: the owners tell the witnesses of a box that lost rows which head of its ledger counts now."""

from collections.abc import Sequence

from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import Head, Ledger, WitnessBook
from agent.signer.policy.document import sealed_by_owners
from agent.signer.rule import REQUEST_REPLAY
from shared.errors import Denied
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart


async def accept_restart(
    ledger: Ledger, sealed: bytes, owners: Sequence[VerifyKey], needed: int, now: ChainTime
) -> None:
    """`register.owners` where too few of the owners signed; `request.replay` where this ceremony took place before, so
    that nobody can set a box back by an old word.
    """
    restart = sealed_by_owners(RESTART_DOMAIN, sealed, owners, needed, LedgerRestart)
    book = WitnessBook(ledger)
    if await book.knows_ceremony(restart.box_id, restart.ceremony):
        raise Denied(REQUEST_REPLAY, f"ceremony {restart.ceremony} took place before; begin a new one")
    await book.accept_restart(Head(restart.box_id, restart.seq, restart.head), restart.ceremony, sealed, now)
