"""`SigningBox`: what comes down to a box and what it says. Packets in, packets out; the line is somebody else's."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec
from nacl.signing import SigningKey, VerifyKey

from agent.signer.clock.model import ChainTime, Taken
from agent.signer.ledger import EntryKind, Head, Ledger, Note
from agent.signer.policy.contract import Contract
from agent.signer.rule import REQUEST_BUSY, REQUEST_MALFORMED
from agent.signer.sessions.ceremony import accept_restart
from agent.signer.sessions.door import Door
from agent.signer.sessions.forward import Forwards
from agent.signer.sessions.ports import HeaderClock, Judge, Keys, Rounds
from agent.signer.sessions.registry import Registry
from agent.signer.sessions.service import Parts, Sessions
from agent.signer.sessions.witnesses import Witnesses
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import BesError, Denied
from shared.log import get_logger
from shared.wire.codec import encode
from shared.wire.contract import contract_id
from shared.wire.signing import (
    AcceptRestart,
    Allowance,
    BoxReport,
    ChangePolicy,
    ForwardRequest,
    HeadersBatch,
    Kind,
    Packet,
    RegisterContract,
    RegistrationAnswer,
    SigningRequest,
    UnfitContract,
    WitnessAnswer,
    WitnessRequest,
    domain,
)
from shared.wire.version import WIRE_VERSION

MOST_AT_ONCE = 512
MOST_BYTES_AT_ONCE = 16 << 20
"""Of the PSBTs and approvals that are worked on; read, they take about twenty times as much memory."""

log = get_logger(__name__)


class Clock(HeaderClock, Protocol):
    """A header clock that takes headers. `take` blocks; it is called in a thread."""

    def take(self, headers: tuple[bytes, ...]) -> Taken: ...

    def stale(self) -> str: ...


class Identity(NamedTuple):
    """`key` seals all that the box says; its id is the box's name among boxes."""

    site: str
    node: str
    key: SigningKey

    @property
    def box_id(self) -> str:
        return key_id(self.key.verify_key)


class Equipment(NamedTuple):
    """What a box stands on. `publish` hands a packet to the line, False where there is none."""

    ledger: Ledger
    registry: Registry
    clock: Clock
    keys: Keys
    rounds: Rounds
    judge: Judge
    now_ms: Callable[[], int]
    publish: Callable[[bytes], bool]
    patience_s: float


class SigningBox:
    """`receive` returns soon: requests are worked on beside each other, because witnesses answer by the same way."""

    def __init__(self, identity: Identity, operators: Mapping[str, VerifyKey], equipment: Equipment) -> None:
        self.identity = identity
        self._equipment = equipment
        self._registry = equipment.registry
        self._door = Door(identity.site, identity.node, operators)
        self._witnesses = Witnesses(identity.box_id, equipment.ledger, self._say, equipment.patience_s)
        parts = Parts(
            equipment.ledger,
            equipment.registry,
            equipment.clock,
            equipment.keys,
            equipment.rounds,
            equipment.judge,
            self._witnesses,
            equipment.now_ms,
        )
        self._sessions = Sessions(identity.box_id, parts)
        self._forwards = Forwards(identity.box_id, parts, self._sessions)
        self._running: dict[asyncio.Task[None], int] = {}  # and how many bytes each has to work on

    async def open(self) -> None:
        """Everything that was registered, from the ledger; and how the token is."""
        await self._registry.load()
        await self._sessions.token.look()

    async def close(self) -> None:
        """What runs is cut off; the same requests are resumed after the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._forwards.close()
        await self._sessions.close()

    async def receive(self, raw: bytes) -> None:
        """A packet as it came; `Denied` where nobody who may speak has said it, and nothing is answered then."""
        match self._door.open(raw, self._registry.peers):
            case SigningRequest() | ForwardRequest() as request:
                self._begin(request)
            case RegisterContract() | ChangePolicy() as order:
                self._say("registered", await self._registered(order))
            case HeadersBatch(headers=headers):
                await self._take(headers)
            case AcceptRestart(restart=sealed):
                owners, needed = self._registry.owners, self._registry.owners_needed
                await accept_restart(self._equipment.ledger, sealed, owners, needed, self._now())
            case WitnessRequest() as question:
                await self._witnesses.asked(question, self._now())
            case WitnessAnswer() as answer:
                self._witnesses.answered(answer)

    async def report(self) -> BoxReport:
        """How the box stands, for people."""
        now, head = self._now(), await self._equipment.ledger.head()
        contracts = self._registry.contracts.values()
        return BoxReport(
            box_id=self.identity.box_id,
            public_keys=self._equipment.keys.public_keys,
            ledger_seq=head.seq,
            ledger_head=head.digest,
            height=now.height,
            median_time_s=now.mtp_s,
            clock_stale=self._equipment.clock.stale(),
            stopped=self._sessions.stopped,
            allowances=tuple([await self._allowance(contract, now) for contract in contracts]),
            unfit=tuple(UnfitContract(*each) for each in self._registry.unfit.items()),
        )

    async def tell(self) -> bool:
        """Look after the token and after what was not written, and send the report up; whether there was a line."""
        await self._sessions.token.look()
        try:
            await self._sessions.refusals.tell_left_out(self._now())
        except Denied as error:  # a disk that is full: the report tells what still stands
            log.warning("signer.unwritten", rule=error.rule, detail=error.detail)
        return self._say("report", await self.report())

    def _begin(self, request: SigningRequest | ForwardRequest) -> None:
        size = len(encode(request))
        if len(self._running) >= MOST_AT_ONCE or sum(self._running.values()) + size > MOST_BYTES_AT_ONCE:
            self._tell_busy(request)
            return
        task = asyncio.create_task(self._answer(request), name=f"answer-{request.request_id}")
        self._running[task] = size
        task.add_done_callback(self._running.pop)

    def _tell_busy(self, request: SigningRequest | ForwardRequest) -> None:
        """Nothing was decided, so nothing is written down: the same id may be asked again."""
        log.info("signer.busy", request=request.request_id, running=len(self._running))
        busy = Denied(REQUEST_BUSY, f"{len(self._running)} requests are being worked on; ask again")
        if isinstance(request, ForwardRequest):
            self._say("forwarded", self._forwards.refusal(request, busy))
        else:
            self._say("answer", self._sessions.refusal(request, busy))

    async def _answer(self, request: SigningRequest | ForwardRequest) -> None:
        try:
            if isinstance(request, ForwardRequest):
                self._say("forwarded", await self._forwards.answer(request))
            else:
                self._say("answer", await self._sessions.answer(request))
        except BesError as error:  # a disk that is gone: nothing was decided, and the request comes again
            log.warning("signer.unanswered", request=request.request_id, code=error.code, detail=error.detail)
        except Exception:  # a fault of ours must not look like a refusal, and the request comes again
            log.exception("signer.failed", request=request.request_id)

    async def _registered(self, order: RegisterContract | ChangePolicy) -> RegistrationAnswer:
        subject = contract_id(order.terms) if isinstance(order, RegisterContract) else order.contract_id
        answer = RegistrationAnswer(
            request_id=order.request_id,
            box_id=self.identity.box_id,
            contract_id=subject,
            policy_version=0,
            effective_height=0,
        )
        try:
            now = self._equipment.clock.time()
            if isinstance(order, RegisterContract):
                accepted = await self._registry.register(order.terms, order.policy, now)
            else:
                accepted = await self._registry.change(subject, order.policy, now)
        except Denied as denied:
            log.warning("signer.registration-refused", rule=denied.rule, contract=subject[:12], detail=denied.detail)
            await self._note_refusal(order, subject, denied)
            return _with_head(
                msgspec.structs.replace(answer, rule=denied.rule, detail=denied.detail),
                await self._equipment.ledger.head(),
            )
        version, height = accepted.policy.policy_version, accepted.effective_height
        taken = msgspec.structs.replace(answer, policy_version=version, effective_height=height)
        return _with_head(taken, await self._equipment.ledger.head())

    async def _note_refusal(self, order: RegisterContract | ChangePolicy, subject: str, denied: Denied) -> None:
        """Once for each order: whoever plays a sealed packet again and again does not fill the disk."""
        ledger, body = self._equipment.ledger, encode(RefusedBody(denied.rule, denied.detail))
        if any(
            (row.kind, row.subject, row.body) == (EntryKind.REFUSAL.value, subject, body)
            for row in await ledger.of_request(order.request_id)
        ):
            return
        note = Note(kind=EntryKind.REFUSAL, subject=subject, request_id=order.request_id, body=body)
        await self._sessions.refusals.write(note, denied.rule, self._now())

    async def _take(self, headers: tuple[bytes, ...]) -> None:
        taken = await asyncio.to_thread(self._equipment.clock.take, headers)
        await self.tell()  # whoever sends headers goes on from where the box says that it stands
        if taken.refused:
            log.warning("signer.headers-refused", accepted=taken.accepted, reason=taken.refused)
            raise Denied(REQUEST_MALFORMED, taken.refused)

    async def _allowance(self, contract: Contract, now: ChainTime) -> Allowance:
        policy = contract.in_force(now.height).policy
        limits = policy.limits
        spent = await self._equipment.ledger.spent(contract.id, limits.window_blocks, now)
        return Allowance(
            contract_id=contract.id,
            policy_version=policy.policy_version,
            window_left_sat=max(0, limits.window_sat - spent.window_sat),
            lifetime_left_sat=max(0, limits.lifetime_sat - spent.lifetime_sat),
        )

    def _now(self) -> ChainTime:
        return self._equipment.clock.tip()

    def _say(self, kind: Kind, message: msgspec.Struct) -> bool:
        sealed = seal(domain(kind), message, [self.identity.key])
        heard = self._equipment.publish(encode(Packet(WIRE_VERSION, kind, sealed)))
        if not heard:
            log.info("signer.unheard", kind=kind)
        return heard


class RefusedBody(msgspec.Struct, array_like=True, frozen=True):
    """The body of the row of a registration that was refused."""

    rule: str
    detail: str


def _with_head(answer: RegistrationAnswer, head: Head) -> RegistrationAnswer:
    return msgspec.structs.replace(answer, ledger_seq=head.seq, ledger_head=head.digest)
