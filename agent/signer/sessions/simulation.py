"""What this box's signature would complete is judged by Bitcoin Core's own code before it leaves."""

from collections.abc import Sequence

from agent.signer.rule import SIM_REJECTED
from agent.signer.sessions.ports import Judge
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.psbt.finalise import finalise
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import TxOut
from shared.errors import BitcoinMalformed, Denied


def objections(signed: Sequence[tuple[Psbt, Sequence[TxOut]]], judge: Judge) -> list[Denied | None]:
    """For each PSBT and its coins `sim.rejected` where it is complete and any input is not accepted; None where all is
    well, and where others have still to sign. One question to the judge for all of them. Blocks.
    """
    complete = {at: final for at, (psbt, _) in enumerate(signed) if (final := _final(psbt)) is not None}
    verdicts = judge.accepts_all([(final, signed[at][1]) for at, final in complete.items()])
    found: list[Denied | None] = [None] * len(signed)
    for at, verdict in zip(complete, verdicts, strict=True):
        found[at] = _objection(verdict)
    return found


def _final(psbt: Psbt) -> bytes | None:
    try:
        return finalise(psbt).raw
    except BitcoinMalformed:
        return None


def _objection(verdict: Verdict) -> Denied | None:
    if verdict.ok:
        return None
    where = "" if verdict.failed_input is None else f" input {verdict.failed_input}"
    return Denied(SIM_REJECTED, f"complete, and yet consensus refuses it:{where} {verdict.reason}".rstrip())
