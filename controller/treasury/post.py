"""Packets to and from signing boxes: registrations, headers, answers, reports, and what boxes ask each other."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from nacl.signing import SigningKey

from controller.contracts.service import BoxAnswer, ContractService
from controller.gateways.bitcoind import BitcoinNode, BlockPoint
from controller.signing.ports import BoxAddress, SigningPublisher
from controller.signing.service import SigningService
from controller.treasury.boxes import BoxDirectory
from shared.clock import Clock
from shared.crypto.signing import seal, unseal
from shared.errors import BesError, WireError
from shared.log import get_logger
from shared.wire.codec import decode, encode
from shared.wire.contract import ContractTerms, contract_id
from shared.wire.signing import (
    BoxReport,
    ChangePolicy,
    HeadersBatch,
    Kind,
    Packet,
    RegisterContract,
    RegistrationAnswer,
    domain,
)
from shared.wire.version import WIRE_VERSION

HEADERS_AT_ONCE = 2_000
OVERLAP_BLOCKS = 144
"""A box may stand on a branch that was reorganised away; headers that it has do no harm."""
SILENT_LOOKS = 12
FIRST_POLICY = 1

log = get_logger("controller.treasury")

_Said = TypeVar("_Said", RegistrationAnswer, BoxReport)


class Post:
    """Fills `controller.contracts.ports.Registrar`; `arrived` takes what the broker brought from a box."""

    def __init__(self, publisher: SigningPublisher, boxes: BoxDirectory, key: SigningKey, clock: Clock) -> None:
        self._publisher = publisher
        self._boxes = boxes
        self._key = key
        self._clock = clock
        self._told: dict[str, tuple[int, str, int]] = {}  # by box: its height then, the tip then, looks since
        self._readers: dict[str, Callable[[str, str, bytes, Packet], Awaitable[None]]] = {}

    def bind(self, contracts: ContractService, signing: SigningService) -> None:
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

        self._readers = {
            "registered": registered,
            "answer": answered,
            "report": self._reported,
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

    async def arrived(self, site: str, node: str, raw: bytes) -> None:
        """Nothing is believed before its seal was checked; what cannot be understood is logged and dropped."""
        try:
            packet = decode(raw, Packet)
            reader = self._readers.get(packet.kind)
            if reader is not None and self._boxes.trusted(site, node):
                await reader(site, node, raw, packet)
        except BesError as error:
            log.warning("treasury.packet-refused", site=site, node=node, code=error.code, detail=error.detail)

    async def tell_headers(self, node: BitcoinNode) -> None:
        """Bring each box's own chain of headers to the node's tip, as far as the box has said where it stands.

        The same is told again only once in SILENT_LOOKS looks, in case it was lost.
        """
        tip = await node.tip()
        for box in self._boxes.listed():
            if box.report is None or not self._to_tell(box.address.box_id, box.report.height, tip):
                continue
            first = max(1, min(box.report.height, tip.height) + 1 - OVERLAP_BLOCKS)
            headers = await node.headers_from(first, HEADERS_AT_ONCE)
            if headers:
                batch = HeadersBatch(site=box.address.site, node=box.address.node, headers=headers)
                await self._send(box.address, "headers", batch)
                self._told[box.address.box_id] = (box.report.height, tip.block_hash, 0)

    def _to_tell(self, box_id: str, height: int, tip: BlockPoint) -> bool:
        """A tip that it was not told, or one that it has not reached for long."""
        before = self._told.get(box_id)
        if before is None or before[:2] != (height, tip.block_hash):
            return before is None or height < tip.height or before[1] != tip.block_hash
        self._told[box_id] = (height, tip.block_hash, before[2] + 1)
        return height < tip.height and before[2] + 1 >= SILENT_LOOKS

    async def _reported(self, site: str, node: str, _raw: bytes, packet: Packet) -> None:
        self._boxes.heard(self._opened("report", packet, site, node, BoxReport), self._clock.now_ms())

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
