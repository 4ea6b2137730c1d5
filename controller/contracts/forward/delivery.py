"""From the outbox to the box and to the node."""

from collections.abc import Callable

import msgspec

from controller.contracts.book import ContractBook
from controller.contracts.forward.book import ForwardBook
from controller.contracts.forward.event import (
    ForwardBoxAsked,
    ForwardBoxRefused,
    ForwardBroadcastRefused,
    codec,
    forward_stream,
)
from controller.contracts.forward.model import Forward, ForwardPhase
from controller.contracts.forward.ports import ForwardAsk, ForwardBox, ForwardChain
from controller.contracts.forward.word import whole_deed
from controller.contracts.refusal import Refusal
from controller.journal import Append, OutboxEntry, SideEffect
from shared.errors import GatewayRefused, WireError
from shared.wire.codec import decode, encode
from shared.wire.contract import SpendingPolicy

FORWARD_KIND = "forward"
ACTOR = "controller"


class Job(msgspec.Struct, array_like=True, frozen=True):
    """Ask the box for `step`, or broadcast `raw` where there is one."""

    contract_id: str
    step: str
    attempt: int
    raw: bytes = b""
    txid: str = ""


def step_effect(asked: ForwardBoxAsked, reminder: int = 0) -> SideEffect:
    key = f"forward/{asked.contract_id}/{asked.step}/{asked.attempt}/{reminder}"
    return SideEffect(key, FORWARD_KIND, asked.contract_id, encode(Job(asked.contract_id, asked.step, asked.attempt)))


def broadcast_effect(contract_id: str, raw: bytes, txid: str, number: int) -> SideEffect:
    """The same transaction under the same number goes out once."""
    payload = encode(Job(contract_id, "", number, raw, txid))
    return SideEffect(f"forward/{txid}/{number}", FORWARD_KIND, contract_id, payload)


class ForwardDelivery:
    """`deliver` is handed to a Dispatcher of kind FORWARD_KIND; what the box says arrives by `ForwardService`."""

    def __init__(
        self,
        box: ForwardBox,
        chain: ForwardChain,
        book: ForwardBook,
        contracts: ContractBook,
        known_height: Callable[[], int | None],
    ) -> None:
        self._box = box
        self._chain = chain
        self._book = book
        self._contracts = contracts
        self._known_height = known_height

    async def deliver(self, entry: OutboxEntry) -> tuple[Append, ...]:
        job = decode(entry.payload, Job)
        state = self._book.find(job.contract_id)
        if state is None or state.phase is ForwardPhase.CLOSED:
            return ()
        if job.raw:
            return await self._broadcast(state, job)
        asked = state.asked.get(job.step)
        if asked is not None and asked.attempt == job.attempt and state.waits(job.step):
            contract = self._contracts.get(job.contract_id)
            height = self._known_height()
            in_force = contract.policy_at(height if height is not None else await self._chain.height())
            if in_force is not None:
                await self._box.ask_forward(contract.boxes[0], _ask(state, asked, in_force.policy))
        return ()

    def abandon(self, entry: OutboxEntry, detail: str) -> tuple[Append, ...]:
        """What is written where the box cannot be told at all."""
        try:
            job = decode(entry.payload, Job)
        except WireError:
            return ()
        state = self._book.find(job.contract_id)
        asked = None if state is None else state.asked.get(job.step)
        if state is None or asked is None or asked.attempt != job.attempt or not state.waits(job.step):
            return ()
        fact = ForwardBoxRefused(job.contract_id, asked.step, job.attempt, Refusal.UNDELIVERED, detail)
        return (Append(forward_stream(job.contract_id), (codec.encode(fact, ACTOR),), state.version),)

    async def _broadcast(self, state: Forward, job: Job) -> tuple[Append, ...]:
        try:
            await self._chain.broadcast(job.raw)
        except GatewayRefused as error:
            fact = ForwardBroadcastRefused(job.contract_id, job.txid, error.detail)
            return (Append(forward_stream(job.contract_id), (codec.encode(fact, ACTOR),), state.version),)
        return ()


def _ask(state: Forward, asked: ForwardBoxAsked, policy: SpendingPolicy) -> ForwardAsk:
    """Only what the step needs, so that a repetition is the same request to the last byte."""
    funding = asked.step in ("promise", "fund")
    theirs = state.theirs if asked.step == "fund" else None
    attested = state.attested if asked.step == "settle" else None
    return ForwardAsk(
        contract_id=asked.contract_id,
        policy_version=policy.policy_version,
        step=asked.step,
        attempt=asked.attempt,
        deed=whole_deed(state, policy) or b"",
        proposal=state.proposal.sealed if funding and state.proposal else b"",
        approvals=tuple(state.approvals[person].sealed for person in sorted(state.approvals)) if funding else (),
        adaptors=theirs.adaptors if theirs else (),
        refund=theirs.refund if theirs else b"",
        attestation=attested.attestation if attested else b"",
        expires_at_ms=asked.expires_at_ms,
        expires_at_height=asked.expires_at_height,
    )
