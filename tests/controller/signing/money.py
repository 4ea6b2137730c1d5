"""Whose money the tests of signing move: people, keys, and two contracts over real keys."""

import hashlib
from collections.abc import Sequence

from nacl.signing import SigningKey

from controller.signing.model import Person
from controller.signing.ports import BoxAddress, Contract
from shared.bitcoin.address import address_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.wire.contract import (
    Approver,
    ContractTerms,
    Destination,
    Limits,
    Party,
    SpendingPath,
    SpendingPolicy,
    contract_id,
)

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


def box_key(name: str) -> SigningKey:
    return SigningKey(hashlib.sha256(b"box " + name.encode()).digest())


def id_of(key: SigningKey) -> str:
    return hashlib.sha256(key.verify_key.encode()).hexdigest()[:16]


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
        party: BoxAddress(f"box-{party}", "tx1", f"box-{party}", box_key(party).verify_key.encode()) for party in boxes
    }
    return Contract(contract_id=identity, terms=terms, policy=policy, boxes=addresses, witness_wu=witness_wu, depth=3)
