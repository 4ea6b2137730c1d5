"""What a signing box is asked while it is measured: sealed packets, a distinct coin each, approved by two people.

The contract is two of three. The box holds one key, in its token; the second signature came along, so that the box
completes the transaction and its judge has to run.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from nacl.signing import SigningKey

from shared.bitcoin.address import address_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.bitcoin.psbt.psbt import Psbt, PsbtInput, PsbtOutput
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.crypto.signing import seal
from shared.wire.codec import encode
from shared.wire.contract import (
    APPROVAL_DOMAIN,
    MOST_SAT,
    POLICY_DOMAIN,
    Approval,
    Approver,
    ContractTerms,
    Destination,
    KeyRole,
    Limits,
    Party,
    SpendingPath,
    SpendingPolicy,
    contract_id,
)
from shared.wire.signing import Packet, SigningRequest, domain
from shared.wire.version import WIRE_VERSION

SITE, NODE = "bench", "box-1"
HEIGHT, BIRTH_HEIGHT = 1_000, 100
NOW_MS = 1_700_000_000_000
NETWORK = Network.REGTEST
COIN_SAT, PAID_SAT, FEE_SAT = 50_000, 10_000, 2_000


def _key(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(name.encode()).digest())


OPERATOR, OWNER, BOX = _key("operator"), _key("owner"), _key("box")
_APPROVERS = {name: _key(name) for name in ("Ann", "Bob")}
_PROPOSER = "Ida"
_SECOND, _THIRD = bytes([2]) * 32, bytes([3]) * 32
_PAYEE = p2wpkh(public_key_of(bytes([7]) * 32))


class Load:
    """Requests about one contract of which `box_key` (33 bytes) is a key."""

    def __init__(self, box_key: bytes) -> None:
        keys = {"a": box_key.hex(), "b": public_key_of(_SECOND).hex(), "c": public_key_of(_THIRD).hex()}
        text = f"wsh(multi(2,{','.join(keys.values())}))"
        self.descriptor = Descriptor.parse(text, NETWORK)
        self.terms = ContractTerms(
            network=NETWORK.value,
            name="vault",
            template="benchmark",
            descriptor=self.descriptor.checksum_text,
            epoch=1,
            parties=tuple(Party(name, name, key, "signer") for name, key in keys.items()),
            paths=(SpendingPath("quorum", "signer", tuple(keys), 2),),
            birth_height=BIRTH_HEIGHT,
        )
        self.contract_id = contract_id(self.terms)
        self._own = self.descriptor.derive(0, 0)

    def sealed_policy(self) -> bytes:
        approvers = tuple(Approver(name, name, "approver", key.verify_key.encode()) for name, key in _APPROVERS.items())
        proposer = Approver(_PROPOSER, _PROPOSER, "proposer", _key(_PROPOSER).verify_key.encode())
        address = address_of(_PAYEE, NETWORK)
        assert address is not None
        policy = SpendingPolicy(
            contract_id=self.contract_id,
            policy_version=1,
            approvals_needed=len(approvers),
            approvers=(*approvers, proposer),
            owners=(OWNER.verify_key.encode(),),
            owners_needed=1,
            allow_list=(Destination("payee", address, 0),),
            cooling_blocks=144,
            limits=Limits(COIN_SAT, MOST_SAT, 144, MOST_SAT, 50_000, 100, 40_000),
        )
        return seal(POLICY_DOMAIN, policy, [OWNER])

    def requests(self, first: int, count: int) -> Iterator[SigningRequest]:
        """Those of the numbers from `first` on; a number is a coin."""
        for number in range(first, first + count):
            psbt = self._psbt(number)
            yield SigningRequest(
                request_id=f"request-{number}",
                site=SITE,
                node=NODE,
                contract_id=self.contract_id,
                policy_version=1,
                path="quorum",
                psbt=psbt.raw,
                proposal=self._sealed(psbt.txid, "proposer", _key(_PROPOSER)),
                approvals=tuple(self._sealed(psbt.txid, "approver", key) for key in _APPROVERS.values()),
                expires_at_ms=NOW_MS + 86_400_000,
                expires_at_height=HEIGHT + 1_000,
            )

    def _psbt(self, number: int) -> Psbt:
        script = self._own.script
        source = TxIn(OutPoint(hashlib.sha256(number.to_bytes(8, "big")).hexdigest(), 0))
        previous = Transaction(2, (source,), (TxOut(COIN_SAT, script), TxOut(COIN_SAT, _PAYEE)), 0)
        outputs = (TxOut(PAID_SAT, _PAYEE), TxOut(COIN_SAT - PAID_SAT - FEE_SAT, script))
        tx = Transaction(2, (TxIn(OutPoint(previous.txid, 0), sequence=0xFFFF_FFFD),), outputs, 0)
        assert self._own.witness_script is not None
        digest = Sighasher(tx, previous.outputs[:1]).segwit_v0(0, self._own.witness_script)
        entry = PsbtInput(
            previous_tx=previous, witness_utxo=previous.outputs[0], witness_script=self._own.witness_script
        )
        signature = sign_ecdsa(_SECOND, digest) + bytes((SIGHASH_ALL,))
        signed = replace(entry, partial_signatures={public_key_of(_SECOND): signature})
        return Psbt(version=0, tx=tx, inputs=(signed,), outputs=(PsbtOutput(), PsbtOutput()))

    def _sealed(self, txid: str, role: KeyRole, key: SigningKey) -> bytes:
        document = Approval(self.contract_id, NETWORK.value, 1, txid, PAID_SAT, HEIGHT + 100, role, _PROPOSER)
        return seal(APPROVAL_DOMAIN, document, [key])


def packet(request: SigningRequest) -> bytes:
    """As the controller sends it."""
    return encode(Packet(WIRE_VERSION, "request", seal(domain("request"), request, [OPERATOR])))
