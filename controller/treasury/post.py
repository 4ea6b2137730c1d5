"""Packets to and from signing boxes: registrations, headers, answers, reports, and what boxes ask each other."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import msgspec
from nacl.signing import SigningKey

from controller.contracts.forward import BoxWord, ForwardAsk, ForwardService
from controller.contracts.service import BoxAnswer, ContractService
from controller.gateways.bitcoind import BitcoinNode, BlockPoint
from controller.signing.ports import BoxAddress, SigningPublisher
from controller.signing.service import SigningService
from controller.treasury.belated import BelatedAnswers
from controller.treasury.boxes import BoxDirectory
from shared.clock import Clock
from shared.crypto.signing import seal, unseal
from shared.errors import BesError, WireError
from shared.log import get_logger
from shared.wire.codec import decode, encode
from shared.wire.contract import ContractTerms, contract_id
from shared.wire.signing import (
    AcceptRestart,
    BoxReport,
    ChangePolicy,
    ForwardAnswer,
    ForwardRequest,
    HeadersBatch,
    Kind,
    Packet,
    RegisterContract,
    RegistrationAnswer,
    domain,
)
from shared.wire.version import WIRE_VERSION

HEADERS_AT_ONCE = 2_016
OVERLAP_BLOCKS = 144
"""A box may stand on a branch that was reorganised away; headers that it has do no harm."""
DEEPEST_OVERLAP_BLOCKS = 16 * HEADERS_AT_ONCE
SILENT_LOOKS = 12
FIRST_POLICY = 1
ANSWERS = frozenset({"answer", "registered", "forwarded"})
"""What a box says once; all else it says again by itself."""

log = get_logger("controller.treasury")

_Said = TypeVar("_Said", RegistrationAnswer, ForwardAnswer, BoxReport)
_FORWARD_ID = re.compile(r"forward-[0-9a-f]{16}-[a-z]+-([0-9]{1,6})")


class Told(NamedTuple):
    """Headers that a box was sent up to `tip`, from `overlap_blocks` below where it stood by `report`."""

    report: BoxReport
    tip: BlockPoint
    overlap_blocks: int
    looks: int = 0


class Post:
    """Fills `controller.contracts.ports.Registrar`; `arrived` takes what the broker brought from a box."""

    def __init__(self, publisher: SigningPublisher, boxes: BoxDirectory, key: SigningKey, clock: Clock) -> None:
        self._publisher = publisher
        self._boxes = boxes
        self._key = key
        self._clock = clock
        self._told: dict[str, Told] = {}
        self.belated = BelatedAnswers(clock)
        self.refused = 0
        self._readers: dict[str, Callable[[str, str, bytes, Packet], Awaitable[None]]] = {}

    def bind(self, contracts: ContractService, signing: SigningService, forwards: ForwardService) -> None:
        """Whom answers are for."""

        async def registered(site: str, node: str, _raw: bytes, packet: Packet) -> None:
            said = self._opened("registered", packet, site, node, RegistrationAnswer)
            await contracts.box_answered(
                BoxAnswer(
                    contract_id=said.contract_id,
                    policy_version=said.policy_version,
                    box_id=said.box_id,
                    effective_height=said.effective_height,
                    ledger_seq=said.ledger_seq,
                    ledger_head=said.ledger_head.hex(),
                    rule=said.rule,
                    detail=said.detail,
                )
            )

        async def answered(site: str, node: str, raw: bytes, _packet: Packet) -> None:
            await signing.answered(site, node, raw)

        async def forwarded(site: str, node: str, _raw: bytes, packet: Packet) -> None:
            said = self._opened("forwarded", packet, site, node, ForwardAnswer)
            named = _FORWARD_ID.fullmatch(said.request_id)
            if named is None:
                return
            await forwards.box_said(
                BoxWord(
                    contract_id=said.contract_id,
                    step=said.step,
                    attempt=int(named[1]),
                    box_id=said.box_id,
                    rule=said.rule,
                    detail=said.detail,
                    adaptors=said.adaptors,
                    signature=said.signature,
                )
            )

        async def reported(site: str, node: str, _raw: bytes, packet: Packet) -> None:
            self._boxes.heard(self._opened("report", packet, site, node, BoxReport), self._clock.now_ms())
            await signing.conductor.box_lives(site, node)

        self._readers = {
            "registered": registered,
            "forwarded": forwarded,
            "answer": answered,
            "report": reported,
            "witness-request": self._relayed,
            "witness-answer": self._relayed,
        }

    async def register(self, box_id: str, terms: ContractTerms, policy_version: int, sealed_policy: bytes) -> None:
        """Done when the broker has it; the box answers when it comes to it, and a repetition as the first time."""
        box, name = self._boxes.get(box_id).address, contract_id(terms)
        request_id = f"register-{name[:16]}-{policy_version}-{box_id[:8]}"
        if policy_version == FIRST_POLICY:
            first = RegisterContract(
                request_id=request_id, site=box.site, node=box.node, terms=terms, policy=sealed_policy
            )
            await self._send(box, "register", first)
            return
        change = ChangePolicy(
            request_id=request_id, site=box.site, node=box.node, contract_id=name, policy=sealed_policy
        )
        await self._send(box, "policy", change)

    async def ask_forward(self, box_id: str, ask: ForwardAsk) -> None:
        """Fills `controller.contracts.forward.ports.ForwardBox`; the same attempt is the same request."""
        box = self._boxes.get(box_id).address
        plain = {name: getattr(ask, name) for name in ForwardAsk.__struct_fields__ if name != "attempt"}
        request_id = f"forward-{ask.contract_id[:16]}-{ask.step}-{ask.attempt}"
        await self._send(box, "forward", ForwardRequest(**plain, request_id=request_id, site=box.site, node=box.node))

    async def restart(self, box_id: str, sealed: bytes) -> None:
        """Tell the witnesses of a box, which are all others, what its owners say of its ledger."""
        for box in self._boxes.others(box_id):
            await self._send(box, "restart", AcceptRestart(site=box.site, node=box.node, restart=sealed))

    async def arrived(self, site: str, node: str, raw: bytes) -> None:
        """Nothing is believed before its seal was checked. What cannot be understood is counted, logged and dropped; an
        answer that we could not take in waits for `run`.
        """
        try:
            packet = decode(raw, Packet)
        except WireError as error:
            return self._drop(site, node, error)
        try:
            await self._read(site, node, raw, packet)
        except BesError as error:
            if error.retryable and packet.kind in ANSWERS:
                return self.belated.keep(site, node, raw, error)
            self._drop(site, node, error)

    async def run(self) -> None:
        """Take in what waits, as soon as that goes; until cancelled."""
        while True:
            await asyncio.sleep(self.belated.pause_s)
            await self.belated.read_again(self._read_again)

    async def tell_headers(self, node: BitcoinNode) -> None:
        """Bring each box's own chain of headers to the node's tip, as far as the box has said where it stands.

        A box that was away long gets a batch with each of its reports. One that reports the height at which it stood
        before it was told is on a branch that parted deeper: the overlap doubles until the batches meet what it has.
        """
        tip = await node.tip()
        for box in self._boxes.listed():
            if box.report is None:
                continue
            overlap_blocks = self._overlap_blocks(box.address.box_id, box.report, tip)
            if overlap_blocks is not None:
                await self._tell(node, box.address, min(box.report.height, tip.height), overlap_blocks)
                self._told[box.address.box_id] = Told(box.report, tip, overlap_blocks)

    async def _read_again(self, site: str, node: str, raw: bytes) -> None:
        await self._read(site, node, raw, decode(raw, Packet))

    async def _read(self, site: str, node: str, raw: bytes, packet: Packet) -> None:
        reader = self._readers.get(packet.kind)
        if reader is not None and self._boxes.trusted(site, node):
            await reader(site, node, raw, packet)

    def _drop(self, site: str, node: str, error: BesError) -> None:
        self.refused += 1
        code, count = error.code, self.refused
        log.warning("treasury.packet-refused", site=site, node=node, code=code, detail=error.detail, refused=count)

    async def _tell(self, node: BitcoinNode, box: BoxAddress, height: int, overlap_blocks: int) -> None:
        """Batches from below its height up to one that leads above it: a branch counts when it has more work."""
        first = max(1, height + 1 - overlap_blocks)
        while first <= height + 1:
            headers = await node.headers_from(first, HEADERS_AT_ONCE)
            if not headers:
                return
            await self._send(box, "headers", HeadersBatch(site=box.site, node=box.node, headers=headers))
            first += len(headers)

    def _overlap_blocks(self, box_id: str, report: BoxReport, tip: BlockPoint) -> int | None:
        """How far below its height the headers begin that a box gets now; None where it gets none.

        It gets some for a tip that it was not told, for one that it has not reached, and, in case they were lost, the
        same again once in SILENT_LOOKS looks.
        """
        before = self._told.get(box_id)
        if before is None:
            return OVERLAP_BLOCKS
        if report.height == before.report.height < before.tip.height and report is not before.report:
            return min(2 * before.overlap_blocks, DEEPEST_OVERLAP_BLOCKS)
        if report.height != before.report.height or tip.block_hash != before.tip.block_hash:
            return OVERLAP_BLOCKS if report.height < tip.height or tip.block_hash != before.tip.block_hash else None
        self._told[box_id] = before._replace(looks=before.looks + 1)
        return before.overlap_blocks if report.height < tip.height and before.looks + 1 >= SILENT_LOOKS else None

    async def _relayed(self, site: str, node: str, raw: bytes, _packet: Packet) -> None:
        """To all other boxes, as it came: they check each other's seals themselves."""
        (box_id, *_) = self._boxes.trusted(site, node)
        for other in self._boxes.others(box_id):
            await self._publisher.publish_signing(other.site, other.node, raw)

    def _opened(self, kind: Kind, packet: Packet, site: str, node: str, wanted: type[_Said]) -> _Said:
        said, (box_id, *_) = unseal(domain(kind), packet.sealed, self._boxes.trusted(site, node), wanted)
        if said.box_id != box_id:
            raise WireError(f"{site}/{node} speaks as box {said.box_id}, and its seal is of {box_id}")
        return said

    async def _send(self, box: BoxAddress, kind: Kind, message: msgspec.Struct) -> None:
        packet = Packet(WIRE_VERSION, kind, seal(domain(kind), message, [self._key]))
        await self._publisher.publish_signing(box.site, box.node, encode(packet))
