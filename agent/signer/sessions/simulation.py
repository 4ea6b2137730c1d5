"""What this box's signature would complete is judged by Bitcoin Core's own code before it leaves."""

from collections.abc import Sequence

from agent.signer.rule import SIM_REJECTED
from agent.signer.sessions.ports import Judge
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import TxOut
from shared.errors import BitcoinMalformed, Denied


def require_accepted(psbt: Psbt, coins: Sequence[TxOut], judge: Judge) -> None:
    """`sim.rejected` where it is complete and any input is not accepted; what others have still to sign passes."""
    try:
        final = finalise(psbt)
    except BitcoinMalformed:
        return
    verdict = judge.accepts(final.raw, coins)
    if not verdict.ok:
        where = "" if verdict.failed_input is None else f" input {verdict.failed_input}"
        raise Denied(SIM_REJECTED, f"complete, and yet consensus refuses it:{where} {verdict.reason}".rstrip())
