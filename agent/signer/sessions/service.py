"""`Sessions`: the one way from a request to a signature."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import EntryKind, Ledger, Note, Spend
from agent.signer.policy import Case, Permit, decide
from agent.signer.policy.form import read
from agent.signer.rule import APPROVAL_POLICY_VERSION, LEDGER_ROLLBACK, PSBT_DISAGREE
from agent.signer.sessions.answering import digest_of, note_of, stored_answer, told
from agent.signer.sessions.door import require_fresh
from agent.signer.sessions.musig import require_fitting_round
from agent.signer.sessions.ports import HeaderClock, Judge, Keys, Rounds
from agent.signer.sessions.refusals import Refusals
from agent.signer.sessions.registry import Registry
from agent.signer.sessions.signatures import require_ours
from agent.signer.sessions.signing_line import SigningLine
from agent.signer.sessions.token_guard import TokenGuard
from agent.signer.sessions.witnesses import Witnesses
from shared.bitcoin.transaction import TxOut
from shared.crypto.keys import key_id
from shared.errors import BitcoinDisagreement, Denied, KeystoreError
from shared.log import get_logger
from shared.wire.signing import Outcome, SigningAnswer, SigningRequest

RESERVED_BLOCKS = 1008
"""How long the coins of a signed transaction stay reserved for it: about a week."""

LARGE_BYTES = 1 << 15
LONGEST_DETAIL = 500

log = get_logger(__name__)


class Parts(NamedTuple):
    """What a session works with. `now_ms` is the box's own clock, which counts only where it is the later one."""

    ledger: Ledger
    registry: Registry
    clock: HeaderClock
    keys: Keys
    rounds: Rounds
    judge: Judge
    witnesses: Witnesses
    now_ms: Callable[[], int]


class Sessions:
    """`answer` may be called for many requests at once; a request that comes again while it is worked on is not worked
    on twice.
    """

    def __init__(self, box_id: str, parts: Parts) -> None:
        self._box_id = box_id
        self._parts = parts
        self._line = SigningLine(parts.keys, parts.rounds, parts.judge)
        self._rolled_back = ""
        self._large = asyncio.Lock()
        self.token = TokenGuard(parts.keys)
        self.refusals = Refusals(parts.ledger, parts.registry.contracts)
        self._running: dict[str, asyncio.Task[SigningAnswer]] = {}

    @property
    def stopped(self) -> str:
        """The rule by which nothing is signed: until people have looked (`ledger.rollback`), or the token is back."""
        return self._rolled_back or self.token.rule

    async def answer(self, request: SigningRequest) -> SigningAnswer:
        """Its row is on the disk when it returns, a refusal's too. Without a row (`ledger_seq` 0) are
        `ledger.unwritable` and refusals over the ration of their contract.
        """
        running = self._running.get(request.request_id)
        if running is None:
            running = asyncio.create_task(self._answer(request), name=f"session-{request.request_id}")
            self._running[request.request_id] = running
            running.add_done_callback(lambda _: self._running.pop(request.request_id))
        return await asyncio.shield(running)

    def require_running(self) -> None:
        """Denied by the rule for which the box signs nothing until people have looked, if there is one."""
        if self._rolled_back:
            raise Denied(self._rolled_back, "this ledger lost rows that others remember; begin the recovery ceremony")

    def heed(self, denied: Denied, request_id: str) -> None:
        """A refusal that was decided; one of them stops the box."""
        if denied.rule == LEDGER_ROLLBACK:
            self._rolled_back = denied.rule
        log.warning("signer.refused", rule=denied.rule, request=request_id, detail=denied.detail)

    async def close(self) -> None:
        """What runs is cut off; a signature that the token is making is waited for, and told after the next start."""
        for session in self._running.values():
            session.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._line.close()

    async def _answer(self, request: SigningRequest) -> SigningAnswer:
        try:
            return await self._signed_or_stored(request)
        except BitcoinDisagreement as error:
            return await self._refused(request, Denied(PSBT_DISAGREE, error.detail))
        except Denied as denied:
            self.heed(denied, request.request_id)
            return await self._refused(request, denied)
        except KeystoreError as error:
            return await self._refused(request, self.token.failed(error))

    async def _signed_or_stored(self, request: SigningRequest) -> SigningAnswer:
        ledger = self._parts.ledger
        stored = stored_answer(await ledger.of_request(request.request_id), request, SigningAnswer)
        if stored is not None:
            return stored
        self.require_running()
        now = self._parts.clock.time()
        case, permit = await self._decided(request, now)
        await self.token.require()
        answer = self._plain(request, case.tx.txid, now)
        if not await self._paid_for(case, permit, now):
            self.refusals.require_room(request.contract_id, len(request.psbt))
        psbt = await self._line.signed(case)
        outcome: Outcome = "nonce" if request.round == "nonce" else "signed"
        answer = msgspec.structs.replace(answer, outcome=outcome, psbt=psbt.raw)
        return told(answer, await ledger.record(note_of(request, answer), now))

    async def _decided(self, request: SigningRequest, now: ChainTime) -> tuple[Case, Permit]:
        """A large one takes a second or two, so it has a thread, and there is one of them at a time."""
        if len(request.psbt) <= LARGE_BYTES:
            return self._decision(request, now)
        async with self._large:
            return await asyncio.to_thread(self._decision, request, now)

    def _decision(self, request: SigningRequest, now: ChainTime) -> tuple[Case, Permit]:
        case = self._case(request, now)
        permit = decide(case)
        require_fitting_round(case)
        require_ours(case, self._parts.keys, case.places[0])
        return case, permit

    def _case(self, request: SigningRequest, now: ChainTime) -> Case:
        require_fresh(request, now.height, now.mtp_s, self._parts.now_ms())
        contract = self._parts.registry.contract(request.contract_id)
        accepted = contract.in_force(now.height)
        version = accepted.policy.policy_version
        if request.policy_version != version:
            raise Denied(APPROVAL_POLICY_VERSION, f"asked under policy {request.policy_version}; {version} is in force")
        return Case(
            request=request,
            psbt=read(request.psbt),
            contract=contract,
            accepted=accepted,
            path=contract.path(request.path),
            height=now.height,
        )

    async def _paid_for(self, case: Case, permit: Permit, now: ChainTime) -> bool:
        """What is about to be signed, on the disk here and in the memory of the witnesses. False where that took
        nothing off a budget: a nonce signs nothing, a message moves nothing, and some transactions were debited before.
        """
        policy, request = case.accepted.policy, case.request
        if request.round == "nonce":
            return False
        fresh = False
        if request.message is None:
            fresh = (await self._parts.ledger.debit(_spend(case, permit), policy.limits, now)).fresh
        else:
            self.refusals.require_room(request.contract_id, len(request.message))
            await self._parts.ledger.record(_message(case, request.message), now)
        await self._parts.witnesses.require(
            frozenset(key_id(VerifyKey(each)) for each in policy.witnesses), policy.witnesses_needed
        )
        return fresh

    def refusal(self, request: SigningRequest, denied: Denied) -> SigningAnswer:
        """As it is told; its row, if it gets one, is another matter. A stale clock's time will do."""
        plain = self._plain(request, "", self._parts.clock.tip())
        return msgspec.structs.replace(plain, rule=denied.rule, detail=denied.detail[:LONGEST_DETAIL])

    async def _refused(self, request: SigningRequest, denied: Denied) -> SigningAnswer:
        answer = self.refusal(request, denied)
        try:
            row = await self.refusals.write(note_of(request, answer), denied.rule, self._parts.clock.tip())
        except Denied as unwritable:
            return msgspec.structs.replace(answer, rule=unwritable.rule, detail=unwritable.detail)
        return answer if row is None else told(answer, row)

    def _plain(self, request: SigningRequest, txid: str, now: ChainTime) -> SigningAnswer:
        return SigningAnswer(
            request_id=request.request_id, box_id=self._box_id, txid=txid, outcome="refused", height=now.height
        )


def _spend(case: Case, permit: Permit) -> Spend:
    return Spend(
        contract_id=case.contract.id,
        request_id=case.request.request_id,
        request_digest=digest_of(case.request),
        txid=permit.txid,
        external_sat=permit.external_sat,
        external_digest=_digest(permit.payments),
        fee_sat=permit.fee_sat,
        outpoints=tuple(str(each.outpoint) for each in case.tx.inputs),
        policy_version=case.accepted.policy.policy_version,
        reserved_until_height=case.height + RESERVED_BLOCKS,
        replaces=case.request.family,
    )


def _message(case: Case, message: str) -> Note:
    return Note(
        kind=EntryKind.MESSAGE,
        subject=case.contract.id,
        request_id=case.request.request_id,
        request_digest=digest_of(case.request),
        txid=case.tx.txid,
        policy_version=case.accepted.policy.policy_version,
        body=message.encode(),
    )


def _digest(payments: tuple[TxOut, ...]) -> bytes:
    return hashlib.sha256(b"".join(payment.raw for payment in payments)).digest()
