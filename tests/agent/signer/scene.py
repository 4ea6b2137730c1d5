"""A treasury vault, the people around it and one signing box, with real scripts, signatures and ledger.

Ida proposes; Ann (who has two keys) and Bob approve; Rea and Rob may recover; a payout service has a key by which it
proposes and does nothing else. The box holds the key of party `a`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import msgspec
from nacl.signing import SigningKey

from agent.signer.clock.model import ChainTime
from agent.signer.keystore import Promise, Slot
from agent.signer.ledger import Entry, Ledger
from agent.signer.sessions.door import Door
from agent.signer.sessions.forward import Forwards
from agent.signer.sessions.registry import Registry
from agent.signer.sessions.service import Parts, Sessions
from agent.signer.sessions.witnesses import Witnesses
from shared.bitcoin.address import address_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.dlc import encrypt
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.kernel import Judge
from shared.bitcoin.musig import KeyAggregate, SecretNonce, Session
from shared.bitcoin.network import Network
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.psbt.value import TapDerivation, TapLeaf
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of, sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import BitcoinMalformed, Denied
from shared.wire.contract import (
    APPROVAL_DOMAIN,
    POLICY_DOMAIN,
    Approval,
    Approver,
    ContractTerms,
    Destination,
    Limits,
    Party,
    SpendingPath,
    SpendingPolicy,
    contract_id,
)
from shared.wire.signing import SigningAnswer, SigningRequest, WitnessAnswer, WitnessRequest

HEIGHT = 1_000
BIRTH = 100
NETWORK = Network.REGTEST
MASTERS = {name: ExtendedKey.from_seed(name.encode() * 32, NETWORK) for name in "abcr"}
_KEYS = {name: f"{master.public()}/<0;1>/*" for name, master in MASTERS.items()}
WSH = "wsh(or_d(multi(2,{a},{b},{c}),and_v(v:pkh({r}),older(144))))".format(**_KEYS)
TREE = "tr({c},{{multi_a(2,{a},{b}),and_v(v:pk({r}),older(144))}})".format(**_KEYS)

OWNERS = tuple(SigningKey(bytes([10 + n]) * 32) for n in range(3))
ANN, ANN_TOO, BOB, REA, ROB, IDA, PAYOUTS = (SigningKey(bytes([20 + n]) * 32) for n in range(7))
SUPPLIER = p2wpkh(public_key_of(b"\x07" * 32))
STRANGER = p2wpkh(public_key_of(b"\x08" * 32))

LIMITS = Limits(
    per_tx_sat=1_000_000,
    window_sat=2_000_000,
    window_blocks=144,
    lifetime_sat=3_000_000,
    fee_sat=50_000,
    fee_rate_sat_vb=100,
    weight_wu=40_000,
)


@lru_cache
def parsed(descriptor: str, network: Network = NETWORK) -> Descriptor:
    return Descriptor.parse(descriptor, network)


def public(key: SigningKey) -> bytes:
    return key.verify_key.encode()


def terms(descriptor: str = WSH, **changed: object) -> ContractTerms:
    tree = descriptor.startswith("tr(")
    text = parsed(descriptor, NETWORK).checksum_text
    plain = ContractTerms(
        network="regtest",
        name="vault",
        template="treasury-vault",
        descriptor=text,
        epoch=1,
        parties=tuple(
            Party(name, f"holder of {name}", key, "recovery" if name == "r" else "signer")
            for name, key in _KEYS.items()
            if key in descriptor
        ),
        paths=(
            SpendingPath("normal", "signer", ("a", "b") if tree else ("a", "b", "c"), 2, leaf=0 if tree else None),
            SpendingPath("recovery", "recovery", ("r",), 1, older_blocks=144, leaf=1 if tree else None),
            *((SpendingPath("key path", "signer", ("c",), 1),) if tree else ()),
        ),
        birth_height=BIRTH,
    )
    return msgspec.structs.replace(plain, **changed)


def policy(subject: str, **changed: object) -> SpendingPolicy:
    approver = "approver"
    plain = SpendingPolicy(
        contract_id=subject,
        policy_version=1,
        approvals_needed=2,
        approvers=(
            Approver("ann", "Ann", approver, public(ANN)),
            Approver("ann-phone", "Ann", approver, public(ANN_TOO)),
            Approver("bob", "Bob", approver, public(BOB)),
            Approver("ida", "Ida", approver, public(IDA)),
            Approver("rea", "Rea", "recovery", public(REA)),
            Approver("rob", "Rob", "recovery", public(ROB)),
            Approver("payouts", "Payouts", "proposer", public(PAYOUTS)),
        ),
        owners=tuple(map(public, OWNERS)),
        owners_needed=2,
        allow_list=(Destination("supplier", str(address_of(SUPPLIER, NETWORK)), 0),),
        cooling_blocks=144,
        limits=LIMITS,
        recovery_role_people=("Rea", "Rob"),
    )
    return msgspec.structs.replace(plain, **changed)


def sealed_policy(document: SpendingPolicy, signers: Sequence[SigningKey] = OWNERS[:2]) -> bytes:
    return seal(POLICY_DOMAIN, document, signers)


class MemoryKeys:
    """Secrets of the given masters, and of their first indices in both branches."""

    def __init__(self, *masters: ExtendedKey) -> None:
        derived = [*masters] + [
            master.derive((branch, index)) for master in masters for branch in (0, 1) for index in range(8)
        ]
        self.secrets = {each.public_key: each.secret for each in derived if each.secret}
        self.signed = 0

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        return tuple(self.secrets)

    def holds(self, public_key: bytes) -> bool:
        return public_key in self.secrets

    def check(self) -> None:
        """Memory is never away."""

    def sign_ecdsa(self, public_key: bytes, digest: bytes) -> bytes:
        self.signed += 1
        return sign_ecdsa(self.secrets[public_key], digest)

    def promise(self, public_key: bytes, asked: Sequence[Promise]) -> tuple[bytes, ...]:
        self.signed += 1
        return tuple(encrypt(self.secrets[public_key], digest, point) for digest, point in asked)

    def sign_schnorr(self, public_key: bytes, digest: bytes, tweak: bytes | None = None) -> bytes:
        assert tweak is None
        self.signed += 1
        return sign_schnorr(self.secrets[public_key], digest, bytes(32))


class MemoryRounds:
    """Nonces as the keystore keeps them, without a token: one a slot, each used once."""

    def __init__(self, keys: MemoryKeys) -> None:
        self._keys = keys
        self._open: dict[Slot, SecretNonce] = {}

    def nonce(self, slot: Slot, aggregate: KeyAggregate, digest: bytes) -> bytes:
        self._open[slot] = aggregate.nonce(slot.public_key, self._keys.secrets[slot.public_key], digest)
        return self._open[slot].public

    def partial(self, slot: Slot, session: Session) -> bytes:
        nonce = self._open.pop(slot, None)
        if nonce is None:
            raise Denied("musig.nonce", "no nonce waits; begin the round anew")
        try:
            return nonce.sign(self._keys.secrets[slot.public_key], session)
        except BitcoinMalformed as error:
            raise Denied("musig.session", error.detail) from error


class StandingClock:
    """Shows what it is told; `fault` makes it refuse."""

    def __init__(self) -> None:
        self.now = ChainTime(HEIGHT, 1_700_000_000)
        self.fault = ""
        self.bits: dict[int, int] = {}

    def tip(self) -> ChainTime:
        return self.now

    def time(self) -> ChainTime:
        if self.fault:
            raise Denied("clock.stale", self.fault)
        return self.now

    def stale(self) -> str:
        return self.fault

    def bits_at(self, height: int) -> int | None:
        return self.bits.get(height)


def at(height: int) -> ChainTime:
    return ChainTime(height, 1_700_000_000 + (height - HEIGHT) * 600)


@dataclass(frozen=True)
class Coin:
    """An output of the contract at (branch 0, `index`) and the transaction that made it."""

    descriptor: Descriptor
    index: int
    previous: Transaction

    @property
    def outpoint(self) -> OutPoint:
        return OutPoint(self.previous.txid, 0)

    @property
    def as_input(self) -> PsbtInput:
        return PsbtInput(
            previous_tx=self.previous,
            witness_utxo=self.previous.outputs[0],
            **_fields(self.descriptor, 0, self.index, of_input=True),
        )


def coin(descriptor: str = WSH, index: int = 0, amount_sat: int = 500_000, salt: int = 0) -> Coin:
    found = parsed(descriptor, NETWORK)
    source = TxIn(OutPoint(f"{salt + 1:064x}", index))
    script = found.derive(0, index).script
    return Coin(found, index, Transaction(2, (source,), (TxOut(amount_sat, script),), 0))


def change(descriptor: str, amount_sat: int, index: int = 0, branch: int = 1) -> tuple[TxOut, PsbtOutput]:
    found = parsed(descriptor, NETWORK)
    out = TxOut(amount_sat, found.derive(branch, index).script)
    return out, PsbtOutput(**_fields(found, branch, index, of_input=False))


def _fields(descriptor: Descriptor, branch: int, index: int, *, of_input: bool) -> Mapping[str, object]:
    derived = descriptor.derive(branch, index)
    if not descriptor.is_taproot:
        return {"witness_script": derived.witness_script, "derivations": derived.origins}
    origins = {key[1:]: TapDerivation((), origin) for key, origin in derived.origins.items()}
    fields: dict[str, object] = {"tap_internal_key": derived.internal_key, "tap_derivations": origins}
    if of_input:
        leaves = {leaf.control_block: TapLeaf(leaf.script, leaf.version) for leaf in derived.leaves}
        fields |= {"tap_merkle_root": derived.merkle_root, "tap_leaf_scripts": leaves}
    return fields


def payment(
    descriptor: str = WSH,
    *,
    coins: Sequence[Coin] | None = None,
    pays: Sequence[TxOut] = (TxOut(100_000, SUPPLIER),),
    fee_sat: int = 2_000,
    sequence: int = 0xFFFFFFFD,
    lock_time: int = 0,
) -> Psbt:
    """Coins of the contract pay, the rest goes back to it; version 0."""
    coins = coins or [coin(descriptor)]
    total = sum(each.previous.outputs[0].amount_sat for each in coins)
    rest, claim = change(descriptor, total - sum(out.amount_sat for out in pays) - fee_sat)
    inputs = tuple(TxIn(each.outpoint, sequence=sequence) for each in coins)
    tx = Transaction(2, inputs, (*pays, rest), lock_time)
    return Psbt(
        version=0,
        tx=tx,
        inputs=tuple(each.as_input for each in coins),
        outputs=(*(PsbtOutput() for _ in pays), claim),
    )


def with_tx(psbt: Psbt, **changed: object) -> Psbt:
    return replace(psbt, tx=replace(psbt.tx, **changed))


def approvals(
    subject: str, psbt: Psbt, external_sat: int, signers: Sequence[SigningKey] = (ANN, BOB), **changed: object
) -> tuple[bytes, ...]:
    approval = Approval(subject, "regtest", 1, psbt.txid, external_sat, HEIGHT + 100, "approver", "Ida")
    approval = msgspec.structs.replace(approval, **changed)
    return tuple(seal(APPROVAL_DOMAIN, approval, [signer]) for signer in signers)


def proposal(
    subject: str, psbt: Psbt, external_sat: int, *signers: SigningKey, by: str = "Ida", **changed: object
) -> bytes:
    """What `by` signs to propose it; her key is Ida's where no other is told."""
    plain = Approval(subject, "regtest", 1, psbt.txid, external_sat, HEIGHT + 10_000, "proposer", by)
    return seal(APPROVAL_DOMAIN, msgspec.structs.replace(plain, **changed), signers or (IDA,))


class Box:
    """One box with the vault registered; what it says reaches its `peers`, its answers `hear` instead, where set."""

    def __init__(
        self,
        folder: Path,
        descriptor: str = WSH,
        keys: MemoryKeys | None = None,
        key: SigningKey | None = None,
        changed: Mapping[str, object] | None = None,
    ) -> None:
        self.terms = msgspec.structs.replace(terms(descriptor), **(changed or {}))
        self.subject = contract_id(self.terms)
        self.descriptor = descriptor
        self.key = key or SigningKey(b"\x42" * 32)
        self.id = key_id(self.key.verify_key)
        self.clock = StandingClock()
        self.keys = keys or MemoryKeys(MASTERS["a"])
        self.rounds = MemoryRounds(self.keys)
        self.judge = Judge()
        self.peers: list[Box] = []
        self.hear: Callable[[WitnessAnswer], None] | None = None
        self.ledger = Ledger(folder / "ledger.db", box_id=self.id, boot_id="boot")
        self.registry = Registry(self.ledger, "regtest", [owner.verify_key for owner in OWNERS], 2)
        self.witnesses = Witnesses(self.id, self.ledger, self._say, 0.5)
        self.now_ms = 1_700_000_000_000
        parts = Parts(
            self.ledger,
            self.registry,
            self.clock,
            self.keys,
            self.rounds,
            self.judge,
            self.witnesses,
            lambda: self.now_ms,
        )
        self.sessions = Sessions(self.id, parts)
        self.forwards = Forwards(self.id, parts, self.sessions)
        self.door = Door("tx1", "box-1", {key_id(OPERATOR.verify_key): OPERATOR.verify_key})
        self._count = 0
        self._talk: list[asyncio.Task[None]] = []

    async def open(self, **policy_changed: object) -> "Box":
        await self.ledger.open()
        document = policy(self.subject, **policy_changed)
        await self.registry.register(self.terms, sealed_policy(document), at(BIRTH))
        return self

    async def close(self) -> None:
        await asyncio.gather(*self._talk)
        self.judge.close()
        await self.ledger.close()

    def _say(self, _kind: str, word: msgspec.Struct) -> None:
        """What a box says reaches its peers; answers go to whom they are about."""
        for peer in self.peers:
            if isinstance(word, WitnessRequest):
                self._talk.append(asyncio.create_task(peer.witnesses.asked(word, peer.clock.tip())))
            elif isinstance(word, WitnessAnswer) and word.box_id == peer.id:
                (self.hear or peer.witnesses.answered)(word)

    def request(self, psbt: Psbt, /, *, given: tuple[bytes, ...] | None = None, **changed: object) -> SigningRequest:
        """What an honest controller would send, but for what is `changed`."""
        self._count += 1
        rest = {derived.script for derived in self._own_scripts()}
        external_sat = sum(out.amount_sat for out in psbt.tx.outputs if out.script not in rest)
        if given is None:
            given = approvals(self.subject, psbt, external_sat)
        version = changed.get("policy_version", 1)
        plain = SigningRequest(
            request_id=f"request-{self._count}",
            site="tx1",
            node="box-1",
            contract_id=self.subject,
            policy_version=1,
            path="normal",
            psbt=psbt.raw,
            proposal=proposal(self.subject, psbt, external_sat, policy_version=version),
            approvals=given,
            expires_at_ms=self.now_ms + 30 * 86_400_000,
            expires_at_height=HEIGHT + 10_000,
        )
        return msgspec.structs.replace(plain, **changed)

    async def ask(self, psbt: Psbt, /, **changed: object) -> SigningAnswer:
        return await self.sessions.answer(self.request(psbt, **changed))

    async def rows(self) -> list[Entry]:
        return await self.ledger.after(0, 10_000)

    def _own_scripts(self):
        found = parsed(self.descriptor, NETWORK)
        return [
            found.derive(branch, index)
            for branch in range(found.branches)
            for index in range(8 if found.is_ranged else 1)
        ]


OPERATOR = SigningKey(b"\x33" * 32)
