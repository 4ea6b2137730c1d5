"""The money door with everything around it, over a real journal."""

from pathlib import Path
from random import Random

import msgspec

from controller.journal import Dispatcher, Journal
from controller.signing.board import ProposalBoard
from controller.signing.conductor import Conductor, Office
from controller.signing.delivery import BoxDelivery, ChainDelivery
from controller.signing.keeper import restore
from controller.signing.model import Payment
from controller.signing.ports import Contract
from controller.signing.request import BROADCAST_KIND, SIGNING_KIND
from controller.signing.service import SigningService
from controller.signing.spending import SpendingRequest
from controller.signing.verdict import RuleVerdicts
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.crypto.signing import seal, unseal
from shared.wire.codec import decode
from shared.wire.contract import (
    APPROVAL_DOMAIN,
)
from shared.wire.signing import Packet, SigningRequest, domain
from tests.controller.signing.fake_box import Engine, FakeBox
from tests.controller.signing.fake_chain import FakeChain, FakeClock
from tests.controller.signing.money import CAROL, OPERATOR, PAYEE_ADDRESS, PEOPLE, id_of


class Stage:
    """The money door with everything around it; `run` lets all that waits happen."""

    def __init__(
        self, store: SqliteJournal, *contracts: Contract, chain: FakeChain | None = None, seed: int = 1
    ) -> None:
        self.store = store
        self.clock = FakeClock()
        self.chain = chain or FakeChain()
        self.contracts = {one.contract_id: one for one in contracts}
        self.boxes = {(one.contract_id, party): FakeBox(one, party) for one in contracts for party in one.boxes}
        self.journal = Journal(store, self.clock)
        self.board = ProposalBoard()
        self.published: list[tuple[str, str, bytes]] = []
        office = Office(self, self.chain, RuleVerdicts(self.board), Engine())
        self.conductor = Conductor(self.journal, self.board, office, OPERATOR, self.clock)
        self.service = SigningService(self.journal, self.board, office, self.conductor, self.clock, Random(seed))
        outbox = SqliteOutbox(store)
        self.dispatchers = (
            Dispatcher(self.journal, outbox, SIGNING_KIND, BoxDelivery(self, self.clock).deliver, self.clock),
            Dispatcher(self.journal, outbox, BROADCAST_KIND, ChainDelivery(self.chain).deliver, self.clock),
        )

    async def restore(self) -> None:
        await restore(self.journal, self.board)

    def contract(self, identity: str) -> Contract | None:
        return self.contracts.get(identity)

    async def publish_signing(self, site: str, node: str, sealed: bytes) -> None:
        self.published.append((site, node, sealed))

    def box(self, contract: Contract, party: str) -> FakeBox:
        return self.boxes[contract.contract_id, party]

    async def propose(self, contract: Contract, amount_sat: int = 1_000_000, path: str = "", **more):
        """By Carol, who has signed it."""
        request = SpendingRequest(
            contract_id=contract.contract_id,
            path=path or contract.terms.paths[0].name,
            payments=(Payment(PAYEE_ADDRESS, amount_sat, "supplier"),) if amount_sat else (),
            reason="invoice 7",
            **more,
        )
        progress = await self.service.proposing.propose(request, CAROL)
        return await self.seal(progress.proposal_id)

    async def seal(self, proposal_id: str, person: str = "carol"):
        return await self.service.seal(proposal_id, self.proposed(proposal_id, person))

    def proposed(self, proposal_id: str, person: str, **changed: object) -> bytes:
        """What a person signs to propose it."""
        subject = self.service.to_seal(proposal_id)["carol"]
        changed = {"initiator": person} | changed
        return seal(APPROVAL_DOMAIN, msgspec.structs.replace(subject, **changed), [PEOPLE[person]])

    def yes(self, proposal_id: str, person: str) -> bytes:
        return seal(APPROVAL_DOMAIN, self.service.approval(proposal_id), [PEOPLE[person]])

    async def approve(self, proposal_id: str, *people: str) -> None:
        if not self.service.board.progress(proposal_id).proposer:
            await self.seal(proposal_id)
        for person in people or ("ann", "ben"):
            await self.service.approve(proposal_id, self.yes(proposal_id, person))

    async def run(self) -> None:
        """Until nobody has anything to do: outbox to boxes and node, boxes' answers back."""
        for _ in range(50):
            done = sum([await one.deliver_due() for one in self.dispatchers])
            waiting, self.published = self.published, []
            for site, node, packet in waiting:
                answer = self._box_at(node, packet).answer(packet)
                if answer is not None:
                    await self.service.answered(site, node, answer)
            if not done and not waiting:
                return
        raise AssertionError("it never comes to rest")

    def _box_at(self, node: str, packet: bytes) -> FakeBox:
        request, _ = unseal(
            domain("request"), decode(packet, Packet).sealed, {id_of(OPERATOR): OPERATOR.verify_key}, SigningRequest
        )
        return self.boxes[request.contract_id, node.removeprefix("box-")]


def journal_at(folder: Path) -> SqliteJournal:
    return SqliteJournal(folder / "journal.db")
