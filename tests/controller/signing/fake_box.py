"""A box that really signs, and the judge in this process."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from controller.signing.ownership import derived_at, key_path_aggregate, keys_of_party
from controller.signing.ports import Contract
from shared.bitcoin.consensus import failed_input
from shared.bitcoin.kernel import Verdict
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.value import LeafKey, MusigKey
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import Transaction, TxOut
from shared.crypto.signing import seal, unseal
from shared.wire.codec import decode, encode
from shared.wire.signing import Packet, SigningAnswer, SigningRequest, domain
from shared.wire.version import WIRE_VERSION
from tests.controller.signing.money import (
    OPERATOR,
    box_key,
    id_of,
    master,
)


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
        self.key = box_key(party)
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
            domain("request"), decode(packet, Packet).sealed, {id_of(OPERATOR): OPERATOR.verify_key}, SigningRequest
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
