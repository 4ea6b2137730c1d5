"""A whole treasury over a journal on the disk, the simulated node behind its door, and two boxes that speak."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from controller.contracts.model import Contract
from controller.gateways.bitcoind import JsonRpc
from controller.journal import Journal
from controller.settings import SigningBox, TreasurySettings
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.treasury import Treasury
from hardware_sims.chain.purse import Purse
from shared.bitcoin.network import Network
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.wire.codec import decode, encode
from shared.wire.signing import BoxReport, Kind, Packet, RegistrationAnswer, domain
from shared.wire.version import WIRE_VERSION
from tests.controller.api.conftest import people
from tests.controller.contracts.scene import VAULT, FakeClock, agreement, signed
from tests.integration.chain.conftest import RunningNode, Simulated

__all__ = ["people"]  # the fixture
SITE = "tx1"


@dataclass
class Box:
    node: str
    key: SigningKey

    @property
    def box_id(self) -> str:
        return key_id(self.key.verify_key)

    def says(self, kind: Kind, message: msgspec.Struct) -> bytes:
        return encode(Packet(WIRE_VERSION, kind, seal(domain(kind), message, [self.key])))

    def report(self, height: int) -> bytes:
        told = BoxReport(
            box_id=self.box_id, public_keys=(), ledger_seq=1, ledger_head=bytes(32), height=height, median_time_s=1
        )
        return self.says("report", told)

    def registered(self, contract_id: str, effective_height: int = 0, **changes: Any) -> bytes:
        told = RegistrationAnswer(
            request_id="register-1",
            box_id=self.box_id,
            contract_id=contract_id,
            policy_version=1,
            effective_height=effective_height,
            ledger_seq=1,
            ledger_head=bytes(32),
        )
        return self.says("registered", msgspec.structs.replace(told, **changes))


ANNA, BEN = Box("anna", SigningKey(b"a" * 32)), Box("ben", SigningKey(b"b" * 32))


@dataclass
class Broker:
    sent: list[tuple[str, Packet]] = field(default_factory=list)

    async def publish_signing(self, site: str, node: str, sealed: bytes) -> None:
        assert site == SITE
        self.sent.append((node, decode(sealed, Packet)))


@dataclass
class House:
    treasury: Treasury
    broker: Broker
    program: Simulated
    rpc: JsonRpc
    clock: FakeClock
    make: Callable[[], Treasury]
    """Another controller over the same journal, as after a restart."""

    async def mine(self, count: int = 1) -> None:
        await self.rpc.call(tuple[str, ...], "generatetoaddress", count, Purse().address)

    async def drafted(self, **changes: object) -> Contract:
        boxes = (ANNA.box_id, BEN.box_id)
        return await self.treasury.contracts.draft(VAULT.compile(agreement(**changes)), boxes, actor="Anna")

    async def sealed(self, **changes: object) -> Contract:
        contract = await self.drafted(**changes)
        assert contract.pending is not None
        policy = contract.pending.policy
        for owner in (0, 1):
            contract = await self.treasury.contracts.approve(contract.contract_id, signed(policy, owner), actor="Anna")
        return contract

    async def registered(self, effective_height: int = 0, **changes: object) -> Contract:
        contract = await self.sealed(**changes)
        for box in (ANNA, BEN):
            await self.treasury.post.arrived(SITE, box.node, box.registered(contract.contract_id, effective_height))
        return self.treasury.contracts.book.get(contract.contract_id)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    program = Simulated(tmp_path / "node")
    running: RunningNode = await program.start()
    settings = TreasurySettings(
        network=Network.REGTEST,
        node_url=running.url,
        cookie_file=running.cookie,
        boxes=tuple(
            SigningBox(site=SITE, node=box.node, public_key=box.key.verify_key.encode().hex()) for box in (ANNA, BEN)
        ),
    )
    clock, broker, rpc = FakeClock(), Broker(), running.rpc()
    async with SqliteJournal(tmp_path / "journal.db") as store:

        def make() -> Treasury:
            journal = Journal(store, clock)
            return Treasury(settings, journal, SqliteOutbox(store), broker, SigningKey(b"o" * 32), clock)

        made = make()
        yield House(made, broker, program, rpc, clock, make)
        await made.aclose()
    await rpc.aclose()
    await program.stop()
