"""A hash-rate forward, step by step: promise, fund, settle, or take the stake back.

The order of `Sessions` holds here too: decide, write the deed and the debit down, have them witnessed, sign, answer.
"""

import asyncio
import hashlib
from typing import NamedTuple

import msgspec
from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.keystore import Promise
from agent.signer.ledger import EntryKind, Note, Spend
from agent.signer.policy.forward import Bargain, bargain, may_be_promised
from agent.signer.rule import (
    APPROVAL_POLICY_VERSION,
    CLOCK_STALE,
    FORWARD_ORACLE,
    FORWARD_TERMS,
    SIGN_NOT_OURS,
)
from agent.signer.sessions.answering import digest_of, note_of, stored_answer, told
from agent.signer.sessions.door import require_fresh
from agent.signer.sessions.service import LONGEST_DETAIL, Parts, Sessions
from shared.bitcoin.dlc import Attested
from shared.crypto.keys import key_id
from shared.errors import BitcoinMalformed, Conflict, Denied, KeystoreError
from shared.forward.oracle import check_outcome
from shared.forward.promise import check_adaptors, settled
from shared.log import get_logger
from shared.wire.codec import decode, encode
from shared.wire.forward import ForwardDeed, other
from shared.wire.signing import ForwardAnswer, ForwardRequest

log = get_logger(__name__)


class _Made(NamedTuple):
    """What leaves with an answer."""

    adaptors: tuple[bytes, ...]
    signature: bytes
    fresh: bool = False  # debited for this answer


class Forwards:
    """`answer` may be called for many requests at once; `sessions` says whether the box signs at all."""

    def __init__(self, box_id: str, parts: Parts, sessions: Sessions) -> None:
        self._box_id = box_id
        self._parts = parts
        self._sessions = sessions
        self._running: dict[str, asyncio.Task[ForwardAnswer]] = {}

    async def answer(self, request: ForwardRequest) -> ForwardAnswer:
        """Its row is on the disk when it returns, a refusal's too; only `ledger.unwritable` leaves none."""
        running = self._running.get(request.request_id)
        if running is None:
            running = asyncio.create_task(self._answer(request), name=f"forward-{request.request_id}")
            self._running[request.request_id] = running
            running.add_done_callback(lambda _: self._running.pop(request.request_id))
        return await asyncio.shield(running)

    async def close(self) -> None:
        """What runs is cut off, and resumed after the next start."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _answer(self, request: ForwardRequest) -> ForwardAnswer:
        try:
            return await self._made_or_stored(request)
        except Denied as denied:
            self._sessions.heed(denied, request.request_id)
            return await self._refused(request, denied)
        except KeystoreError as error:
            return await self._refused(request, self._sessions.token.failed(error))

    async def _made_or_stored(self, request: ForwardRequest) -> ForwardAnswer:
        ledger = self._parts.ledger
        stored = stored_answer(await ledger.of_request(request.request_id), request, ForwardAnswer)
        if stored is not None:
            return stored
        self._sessions.require_running()
        now = self._parts.clock.time()
        made = await asyncio.to_thread(self._bargain, request, now)
        await self._sessions.token.require()
        match request.step:
            case "promise":
                work = await self._promised(made, request, now)
            case "fund":
                work = await self._funded(made, request, now)
            case "settle":
                work = await self._settled(made, request)
            case "return":
                digest = made.deal.way_back_digest(made.deed.side)
                work = _Made((), await self._signature(made, digest))
        answer = msgspec.structs.replace(
            self._plain(request, now),
            outcome="signed",
            txid=made.deal.funding.txid,
            adaptors=work.adaptors,
            signature=work.signature,
        )
        note = note_of(request, answer)
        if not work.fresh:
            self._sessions.refusals.require_room(request.contract_id, len(note.body))
        return told(answer, await ledger.record(note, now))

    def _bargain(self, request: ForwardRequest, now: ChainTime) -> Bargain:
        require_fresh(request, now.height, now.mtp_s, self._parts.now_ms())
        contract = self._parts.registry.contract(request.contract_id)
        accepted = contract.in_force(now.height)
        version = accepted.policy.policy_version
        if request.policy_version != version:
            raise Denied(APPROVAL_POLICY_VERSION, f"asked under policy {request.policy_version}; {version} is in force")
        made = bargain(request.deed, contract, accepted)
        if not self._parts.keys.holds(made.our_key):
            raise Denied(SIGN_NOT_OURS, f"this box does not hold the {made.deed.side}'s key {made.our_key.hex()}")
        return made

    async def _promised(self, made: Bargain, request: ForwardRequest, now: ChainTime) -> _Made:
        fresh = await self._written_down(made, request, now)
        return (await asyncio.to_thread(self._promises, made))._replace(fresh=fresh)

    def _promises(self, made: Bargain) -> _Made:
        deal, keys = made.deal, self._parts.keys
        asked = [Promise(each.digest, each.point) for each in deal.settlements]
        return _Made(keys.promise(made.our_key, asked), keys.sign_ecdsa(made.our_key, deal.digest(deal.refund)))

    async def _funded(self, made: Bargain, request: ForwardRequest, now: ChainTime) -> _Made:
        """Only against promises for every outcome and a refund that opens: all of them are checked here again."""
        await asyncio.to_thread(_check_promises, made, request)
        fresh = await self._written_down(made, request, now)
        return _Made((), await self._signature(made, made.deal.funding_digest(made.deed.side)), fresh)

    async def _settled(self, made: Bargain, request: ForwardRequest) -> _Made:
        await self._require_taken(made)
        deal = made.deal
        attested = _attested(made, request.attestation)
        bits = await asyncio.to_thread(self._parts.clock.bits_at, made.deed.terms.settle_height)
        if bits is None:
            raise Denied(
                CLOCK_STALE, f"no header of height {made.deed.terms.settle_height:,} came yet; send the headers"
            )
        check_outcome(made.deed.terms, attested, bits)
        settlements = await asyncio.to_thread(lambda: deal.settlements)
        return _Made((), await self._signature(made, settlements[settled(settlements, attested)].digest))

    async def _signature(self, made: Bargain, digest: bytes) -> bytes:
        return await asyncio.to_thread(self._parts.keys.sign_ecdsa, made.our_key, digest)

    async def _written_down(self, made: Bargain, request: ForwardRequest, now: ChainTime) -> bool:
        """The deed and its debit, on the disk here and in the memory of the witnesses; whether it was debited now."""
        ledger, policy = self._parts.ledger, made.accepted.policy
        others = await self._others()
        await asyncio.to_thread(may_be_promised, made, request, now, others)
        await asyncio.to_thread(lambda: made.deal.settlements)  # all of them can be made, before anything is debited
        if await ledger.latest(EntryKind.FORWARD, made.contract.id) is None:
            note = Note(kind=EntryKind.FORWARD, subject=made.contract.id, body=encode(made.deed))
            try:
                await ledger.record(note, now, follows_seq=0)
            except Conflict as error:
                raise Denied(FORWARD_TERMS, "another deed of this contract came at the same time") from error
        await self._require_taken(made)
        debit = await ledger.debit(_spend(made, request), policy.limits, now)
        await self._parts.witnesses.require(
            frozenset(key_id(VerifyKey(each)) for each in policy.witnesses), policy.witnesses_needed
        )
        return debit.fresh

    async def _require_taken(self, made: Bargain) -> None:
        row = await self._parts.ledger.latest(EntryKind.FORWARD, made.contract.id)
        if row is None or row.body != encode(made.deed):
            raise Denied(FORWARD_TERMS, "this is not the deed that was promised; a contract has one deed for ever")

    async def _others(self) -> list[ForwardDeed]:
        ledger, found = self._parts.ledger, []
        for subject in await ledger.subjects(EntryKind.FORWARD):
            row = await ledger.latest(EntryKind.FORWARD, subject)
            if row is not None:
                found.append(decode(row.body, ForwardDeed))
        return found

    def refusal(self, request: ForwardRequest, denied: Denied) -> ForwardAnswer:
        """As it is told; its row, if it gets one, is another matter. A stale clock's time will do."""
        plain = self._plain(request, self._parts.clock.tip())
        return msgspec.structs.replace(plain, rule=denied.rule, detail=denied.detail[:LONGEST_DETAIL])

    async def _refused(self, request: ForwardRequest, denied: Denied) -> ForwardAnswer:
        answer = self.refusal(request, denied)
        try:
            row = await self._sessions.refusals.write(note_of(request, answer), denied.rule, self._parts.clock.tip())
        except Denied as unwritable:
            return msgspec.structs.replace(answer, rule=unwritable.rule, detail=unwritable.detail)
        return answer if row is None else told(answer, row)

    def _plain(self, request: ForwardRequest, now: ChainTime) -> ForwardAnswer:
        return ForwardAnswer(
            request_id=request.request_id,
            box_id=self._box_id,
            contract_id=request.contract_id,
            step=request.step,
            txid="",
            outcome="refused",
            height=now.height,
        )


def _check_promises(made: Bargain, request: ForwardRequest) -> None:
    deal = made.deal
    check_adaptors(deal.settlements, made.their_key, request.adaptors)
    deal.check(other(made.deed.side), deal.digest(deal.refund), request.refund, "the refund")


def _attested(made: Bargain, attestation: bytes) -> Attested:
    try:
        return made.deal.event.attested(attestation)
    except BitcoinMalformed as error:
        raise Denied(FORWARD_ORACLE, error.detail) from error


def _spend(made: Bargain, request: ForwardRequest) -> Spend:
    """Fees are part of the stake. Its coin stays reserved for as long as the forward may live."""
    tx = made.deal.funding
    return Spend(
        contract_id=made.contract.id,
        request_id=request.request_id,
        request_digest=digest_of(request),
        txid=tx.txid,
        external_sat=made.stake_sat,
        external_digest=hashlib.sha256(tx.outputs[0].raw).digest(),
        fee_sat=0,
        outpoints=(str(made.our_stake),),
        policy_version=made.accepted.policy.policy_version,
        reserved_until_height=made.deed.terms.refund_height,
    )
