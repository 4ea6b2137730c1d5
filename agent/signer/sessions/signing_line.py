"""Where signatures are made: one thread, everything that waits at a time.

A token serves one caller after another in any case, so more threads would only wait for it and for each other. What the
signatures of a group complete is shown to the judge in one question.
"""

import asyncio
from collections.abc import Sequence

from agent.signer.policy.case import Case
from agent.signer.sessions.musig import MusigSigner
from agent.signer.sessions.ports import Judge, Keys, Rounds
from agent.signer.sessions.signatures import each_input, signed
from agent.signer.sessions.simulation import objections
from shared.bitcoin.psbt.psbt import Psbt

MOST_TOGETHER = 64

Made = Psbt | Exception


class SigningLine:
    """`signed` may be asked for many cases at once; each gets its own PSBT, or its own refusal."""

    def __init__(self, keys: Keys, rounds: Rounds, judge: Judge) -> None:
        self._keys = keys
        self._rounds = rounds
        self._judge = judge
        self._waiting: list[tuple[Case, asyncio.Future[Psbt]]] = []
        self._working: asyncio.Task[None] | None = None

    async def signed(self, case: Case) -> Psbt:
        """The PSBT with what this box adds in the round that was asked for: a nonce, a partial signature, signatures.

        Denied `sign.selfcheck`, `sim.rejected`, `musig.nonce`, `musig.session`, or what the keystore raises.
        """
        answer: asyncio.Future[Psbt] = asyncio.get_running_loop().create_future()
        self._waiting.append((case, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="signing-line")
        return await answer

    async def close(self) -> None:
        """When the group that is being signed is done."""
        self._waiting.clear()
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                made = await asyncio.to_thread(self._made, [case for case, _ in group])
                for (_, answer), found in zip(group, made, strict=True):
                    _settle(answer, found)
        finally:
            self._working = None

    def _made(self, cases: Sequence[Case]) -> list[Made]:
        made = [self._attempt(case) for case in cases]
        whole = {at: found for at, found in enumerate(made) if isinstance(found, Psbt)}
        pairs = [(found, cases[at].coins) for at, found in whole.items()]
        try:
            refused: Sequence[Exception | None] = objections(pairs, self._judge)
        except Exception as error:  # a fault of ours reaches everybody of the group, and no signature leaves
            refused = [error] * len(pairs)
        for at, objection in zip(whole, refused, strict=True):
            made[at] = objection or made[at]
        return made

    def _attempt(self, case: Case) -> Made:
        try:
            match case.request.round:
                case "nonce":
                    return each_input(case, self._keys, MusigSigner(case, self._rounds).nonce)
                case "partial":
                    return each_input(case, self._keys, MusigSigner(case, self._rounds).partial)
                case "sign":
                    return signed(case, self._keys)
        except Exception as error:  # belongs to the one who asked
            return error


def _settle(answer: asyncio.Future[Psbt], found: Made) -> None:
    if answer.done():
        return  # its caller has gone
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
