"""A treasury to test on: two contracts with real keys, boxes that really sign, a chain in memory, a real journal."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
from nacl.signing import SigningKey

from controller.journal import Dispatcher, Journal
from controller.signing.board import ProposalBoard
from controller.signing.conductor import Conductor, Office
from controller.signing.delivery import BoxDelivery, ChainDelivery
from controller.signing.keeper import restore
from controller.signing.model import ChainPoint, Coin, Payment, Person
from controller.signing.ownership import derived_at, key_path_aggregate, keys_of_party
from controller.signing.ports import Acceptance, BoxAddress, Contract
from controller.signing.request import BROADCAST_KIND, SIGNING_KIND
from controller.signing.service import SigningService
from controller.signing.spending import SpendingRequest
from controller.signing.verdict import RuleVerdicts
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from shared.bitcoin.address import address_of
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.network import Network
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.value import LeafKey, MusigKey
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.crypto.signing import seal, unseal
from shared.errors import GatewayRefused, GatewayUnavailable
from shared.wire.codec import decode, encode
from shared.wire.contract import (
    APPROVAL_DOMAIN,
    Approver,
    ContractTerms,
    Destination,
    Limits,
    Party,
    SpendingPath,
    SpendingPolicy,
    contract_id,
)
from shared.wire.signing import Packet, SigningAnswer, SigningRequest, domain
from shared.wire.version import WIRE_VERSION

NETWORK = Network.REGTEST
CAROL = Person("carol", "session-c")
OPERATOR = SigningKey(hashlib.sha256(b"operator").digest())
PEOPLE = {name: SigningKey(hashlib.sha256(name.encode()).digest()) for name in ("ann", "ben", "carol", "rosa")}
PAYEE = p2wpkh(ExtendedKey.from_seed(bytes(16) + b"payee", NETWORK).public_key)
PAYEE_ADDRESS = address_of(PAYEE, NETWORK) or ""


def master(name: str) -> ExtendedKey:
    return ExtendedKey.from_seed(hashlib.sha256(name.encode()).digest(), NETWORK)


def xpub(name: str) -> str:
    return str(master(name).public())


def _box_key(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(b"box " + name.encode()).digest())


def vault(boxes: Sequence[str] = ("a", "b"), **limits: int) -> Contract:
    """Two of a, b and c; after 10 blocks r alone. c has no box unless it is told."""
    keys = {name: f"{xpub(name)}/<0;1>/*" for name in "abcr"}
    text = f"wsh(or_d(multi(2,{keys['a']},{keys['b']},{keys['c']}),and_v(v:pkh({keys['r']}),older(10))))"
    paths = (
        SpendingPath("quorum", "signer", ("a", "b", "c"), 2),
        SpendingPath("recovery", "recovery", ("r",), 1, older_blocks=10),
    )
    return _contract("vault", text, keys, paths, {"quorum": 284, "recovery": 251}, boxes, limits)


def operating(boxes: Sequence[str] = ("a", "b", "c"), **limits: int) -> Contract:
    """The key path of a, b and c together; two of them by a leaf."""
    names = "abc"
    keys = {name: xpub(name) for name in names}
    leaf = ",".join(f"{keys[name]}/<0;1>/*" for name in names)
    text = f"tr(musig({','.join(keys.values())})/<0;1>/*,multi_a(2,{leaf}))"
    paths = (
        SpendingPath("together", "signer", tuple(names), 3),
        SpendingPath("two", "signer", tuple(names), 2, leaf=0),
    )
    return _contract("operating", text, keys, paths, {"together": 66, "two": 270}, boxes, limits)


def _contract(
    name: str,
    text: str,
    keys: dict[str, str],
    paths: tuple[SpendingPath, ...],
    witness_wu: dict[str, int],
    boxes: Sequence[str],
    limits: dict[str, int],
) -> Contract:
    terms = ContractTerms(
        network=NETWORK.value,
        name=name,
        template=name,
        descriptor=Descriptor.parse(text, NETWORK).checksum_text,
        epoch=1,
        parties=tuple(Party(party, party, key, "signer") for party, key in keys.items()),
        paths=paths,
        birth_height=1,
    )
    identity = contract_id(terms)
    known = {
        "per_tx_sat": 10**9,
        "window_sat": 10**10,
        "window_blocks": 144,
        "lifetime_sat": 10**11,
        "fee_sat": 10**6,
        "fee_rate_sat_vb": 500,
        "weight_wu": 100_000,
    }
    policy = SpendingPolicy(
        contract_id=identity,
        policy_version=1,
        approvals_needed=2,
        approvers=tuple(
            Approver(person, person, "recovery" if person == "rosa" else "approver", key.verify_key.encode())
            for person, key in PEOPLE.items()
        ),
        owners=(bytes(32),),
        owners_needed=1,
        allow_list=(Destination("supplier", PAYEE_ADDRESS, 0),),
        cooling_blocks=10,
        limits=Limits(**(known | limits)),
        recovery_role_people=("rosa",),
    )
    addresses = {
        party: BoxAddress(f"box-{party}", "tx1", f"box-{party}", _box_key(party).verify_key.encode()) for party in boxes
    }
    return Contract(contract_id=identity, terms=terms, policy=policy, boxes=addresses, witness_wu=witness_wu, depth=3)


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class FakeChain:
    """Blocks are numbers; the mempool takes what spends unspent outputs and replaces at a higher fee."""

    def __init__(self, height: int = 200) -> None:
        self.height = height
        self.fork = 0
        self.known: dict[str, Coin] = {}
        self.mempool: dict[str, Transaction] = {}
        self.mined: dict[str, tuple[ChainPoint, Transaction]] = {}
        self.broadcasts: list[str] = []
        self.estimate: int | None = 5_000
        self.down = False
        self.refuses = ""

    def fund(self, contract: Contract, amount_sat: int, number: int = 0, *, height: int = 100, branch: int = 0) -> Coin:
        script = derived_at(contract, (branch, number)).script
        source = hashlib.sha256(f"{contract.contract_id}{branch}{number}{amount_sat}".encode()).hexdigest()
        previous = Transaction(2, (TxIn(OutPoint(source, 0)),), (TxOut(1, PAYEE), TxOut(amount_sat, script)), 0)
        coin = Coin(
            txid=previous.txid,
            vout=1,
            amount_sat=amount_sat,
            script=script,
            branch=branch,
            index=number,
            height=height,
            previous_tx=previous.raw,
        )
        self.known[f"{coin.txid}:1"] = coin
        return coin

    def mine(self, *txids: str, blocks: int = 1) -> None:
        self.height += 1
        for txid in txids or tuple(self.mempool):
            self.mined[txid] = (self._point(self.height), self.mempool.pop(txid))
        spent = {str(entry.outpoint) for _, tx in self.mined.values() for entry in tx.inputs}
        self.mempool = {
            txid: tx for txid, tx in self.mempool.items() if not any(str(e.outpoint) in spent for e in tx.inputs)
        }
        self.height += blocks - 1

    def reorganise(self, blocks: int) -> None:
        """The last blocks are exchanged for as many others without our transactions, which the node forgets."""
        self.fork += 1
        self.mined = {t: found for t, found in self.mined.items() if found[0].height <= self.height - blocks}

    async def tip(self) -> ChainPoint:
        self._check()
        return self._point(self.height)

    async def coins(self, contract: Contract) -> list[Coin]:
        self._check()
        spent = {str(entry.outpoint) for tx in self._all() for entry in tx.inputs}
        mine = {derived_at(contract, (coin.branch, coin.index)).script for coin in self.known.values()}
        return [coin for key, coin in self.known.items() if key not in spent and coin.script in mine]

    async def next_change_index(self, contract: Contract) -> int:
        return 0

    async def fee_rate_sat_kvb(self, target_blocks: int) -> int | None:
        return self.estimate

    async def least_rate_sat_kvb(self) -> int:
        return 1_000

    async def test_accept(self, raw: bytes) -> Acceptance:
        self._check()
        tx = Transaction.parse(raw)
        if self.refuses:
            return Acceptance(False, self.refuses)
        if tx.txid in self.mempool or tx.txid in self.mined:
            return Acceptance(False, "txn-already-in-mempool")
        spent = {str(entry.outpoint) for _, mined in self.mined.values() for entry in mined.inputs}
        if any(str(entry.outpoint) in spent for entry in tx.inputs):
            return Acceptance(False, "missing-inputs")
        return Acceptance(True)

    async def broadcast(self, raw: bytes) -> None:
        self._check()
        tx = Transaction.parse(raw)
        told = await self.test_accept(raw)
        self.broadcasts.append(tx.wtxid)
        if not told.allowed and "already" not in told.reason:
            raise GatewayRefused(told.reason)
        mine = {str(entry.outpoint) for entry in tx.inputs}
        self.mempool = {t: o for t, o in self.mempool.items() if not mine & {str(e.outpoint) for e in o.inputs}}
        if tx.txid not in self.mined:
            self.mempool[tx.txid] = tx

    async def holds(self, txid: str, vout: int) -> bool:
        self._check()
        mined = [tx for _, tx in self.mined.values()]
        made = f"{txid}:{vout}" in self.known or any(tx.txid == txid for tx in mined)
        return made and all(str(entry.outpoint) != f"{txid}:{vout}" for tx in mined for entry in tx.inputs)

    async def block_of(self, txid: str) -> ChainPoint | None:
        self._check()
        found = self.mined.get(txid)
        return found[0] if found else None

    def _all(self) -> list[Transaction]:
        return [*self.mempool.values(), *(tx for _, tx in self.mined.values())]

    def _point(self, height: int) -> ChainPoint:
        return ChainPoint(height, hashlib.sha256(f"{height}/{self.fork}".encode()).hexdigest())

    def _check(self) -> None:
        if self.down:
            raise GatewayUnavailable("the node is away")


class Engine:
    """The judge in this process, which is fast; its own process has tests of its own."""

    def accepts(self, raw: bytes, spent: Sequence[TxOut]) -> Verdict:
        failed = failed_input(Transaction.parse(raw), spent)
        return Verdict(failed is None, failed)


class FakeBox:
    """Signs whatever it is asked, with the keys of its party. `mood` is a rule that it refuses with, or empty."""

    def __init__(self, contract: Contract, party: str) -> None:
        self.contract = contract
        self.party = party
        self.key = _box_key(party)
        self.mood = ""
        self.silent = False
        self.forge = False
        self.nonces: dict[tuple[str, int], object] = {}
        self.requests: list[SigningRequest] = []
        self.signed: set[str] = set()

    def restart(self) -> None:
        self.nonces.clear()

    def answer(self, packet: bytes) -> bytes | None:
        request, _ = unseal(
            domain("request"), decode(packet, Packet).sealed, {_id(OPERATOR): OPERATOR.verify_key}, SigningRequest
        )
        self.requests.append(request)
        if self.silent:
            return None
        psbt = Psbt.parse(request.psbt)
        outcome, given, rule = "nonce" if request.round == "nonce" else "signed", b"", self.mood
        if not rule:
            try:
                given = self._added(psbt, request).raw
            except KeyError:
                rule = "musig.session"
        if rule:
            outcome = "refused"
        else:
            self.signed.add(psbt.txid)
        return self.said(request, psbt.txid, outcome, given, rule)

    def said(self, request: SigningRequest, txid: str, outcome: str, psbt: bytes, rule: str = "") -> bytes:
        answer = SigningAnswer(
            request_id=request.request_id,
            box_id=f"box-{self.party}",
            txid=txid,
            outcome=outcome,
            rule=rule,
            psbt=psbt,
        )
        return encode(Packet(WIRE_VERSION, "answer", seal(domain("answer"), answer, [self.key])))

    def _added(self, psbt: Psbt, request: SigningRequest) -> Psbt:
        hasher = Sighasher(psbt.tx, [entry.spent for entry in psbt.inputs])
        inputs = [self._input(psbt, hasher, index, request) for index in range(len(psbt.inputs))]
        return replace(psbt, inputs=tuple(inputs))

    def _input(self, psbt: Psbt, hasher: Sighasher, index: int, request: SigningRequest):
        entry = psbt.inputs[index]
        derived, secrets = self._secrets(entry.spent.script)
        if entry.witness_script is not None:
            digest = hasher.segwit_v0(index, entry.witness_script)
            digest = hashlib.sha256(digest).digest() if self.forge else digest
            found = {key: sign_ecdsa(secret, digest) + b"\x01" for key, secret in secrets.items()}
            return replace(entry, partial_signatures={**entry.partial_signatures, **found})
        if request.path == "two":
            leaf = derived.leaves[0]
            digest = hasher.taproot(index, 0, leaf.script)
            mine = {key: secret for key, secret in secrets.items() if key in leaf.keys}
            found = {LeafKey(key[1:], leaf.leaf_hash): sign_schnorr(s, digest, bytes(32)) for key, s in mine.items()}
            return replace(entry, tap_script_signatures=found)
        told, aggregate = key_path_aggregate(derived)
        digest = hasher.taproot(index)
        (key,) = (key for key in secrets if key in aggregate.public_keys)
        name = MusigKey(key, told.key)
        if request.round == "nonce":
            nonce = aggregate.nonce(key, secrets[key], digest)
            self.nonces[psbt.txid, index] = nonce
            return replace(entry, musig_nonces={**entry.musig_nonces, name: nonce.public})
        nonce = self.nonces.pop((psbt.txid, index))
        public = {one.participant: value for one, value in entry.musig_nonces.items()}
        session = aggregate.session(digest, [public[one] for one in aggregate.public_keys])
        partial = nonce.sign(secrets[key], session)
        if self.forge:
            partial = partial[:-1] + bytes([partial[-1] ^ 1])
        return replace(entry, musig_partial_signatures={name: partial})

    def _secrets(self, script: bytes):
        for branch in (0, 1):
            for index in range(30):
                derived = derived_at(self.contract, (branch, index))
                if derived.script == script:
                    root = master(self.party)
                    child = root.derive((branch, index))
                    mine = keys_of_party(self.contract, self.party, derived)
                    return derived, {k.public_key: k.secret for k in (root, child) if k.public_key in mine}
        raise AssertionError("not a script of the contract")


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
            domain("request"), decode(packet, Packet).sealed, {_id(OPERATOR): OPERATOR.verify_key}, SigningRequest
        )
        return self.boxes[request.contract_id, node.removeprefix("box-")]


def _id(key: SigningKey) -> str:
    return hashlib.sha256(key.verify_key.encode()).hexdigest()[:16]


def journal_at(folder: Path) -> SqliteJournal:
    return SqliteJournal(folder / "journal.db")
