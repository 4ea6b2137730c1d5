"""Executions to measure with: contracts with software keys, a distinct coin each, signed and approved beforehand."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import msgspec
from nacl.signing import SigningKey

from controller.signing.approval import role_for
from controller.signing.combine import with_nonces
from controller.signing.execution.model import Execution
from controller.signing.fee import fee_sat
from controller.signing.model import Coin
from controller.signing.ownership import derived_at, key_path_aggregate
from controller.signing.plan import is_musig
from controller.signing.ports import Contract
from controller.signing.selection import Selection
from controller.signing.spending import Draft, sequence_of
from controller.signing.unsigned import base_psbt
from shared.bitcoin.address import address_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.miniscript import NUMS_KEY
from shared.bitcoin.musig import SecretNonce
from shared.bitcoin.network import Network
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.psbt.value import LeafKey, MusigKey
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from shared.crypto.signing import seal
from shared.wire.contract import (
    APPROVAL_DOMAIN,
    HIGHEST_HEIGHT,
    MOST_SAT,
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

INDEXES = 16
HEIGHT = 500
LOCK_HEIGHT = 100
PROPOSER = "treasurer"
COIN_SAT, PAID_SAT = 1_000_000, 600_000
_NETWORK = Network.REGTEST
_RATE_SAT_KVB = 5_000
_PEOPLE = {name: SigningKey(hashlib.sha256(name.encode()).digest()) for name in ("first", "second", PROPOSER)}
_PAYEE = p2wpkh(ExtendedKey.from_seed(b"benchmark payee " * 2, _NETWORK).public_key)


def _master(name: str) -> ExtendedKey:
    return ExtendedKey.from_seed(hashlib.sha256(name.encode()).digest(), _NETWORK)


MASTERS: Mapping[str, ExtendedKey] = {name: _master(name) for name in ("a", "b", "c", "r")}


def wsh_contract() -> Contract:
    """Two of three, or one after a month (the cold treasury of the templates)."""
    keys = {name: f"{key.public()}/<0;1>/*" for name, key in MASTERS.items()}
    text = f"wsh(or_d(multi(2,{keys['a']},{keys['b']},{keys['c']}),and_v(v:pkh({keys['r']}),older(4320))))"
    return contract_of("wsh 2-of-3", text, keys, SpendingPath("quorum", "signer", ("a", "b", "c"), 2), 284)


def musig_contract() -> Contract:
    """Two signers by the key path of a Taproot output, one of them alone by a leaf after a month."""
    keys = {name: str(MASTERS[name].public()) for name in ("a", "b", "r")}
    text = f"tr(musig({keys['a']},{keys['b']})/<0;1>/*,and_v(v:pk({keys['r']}/<0;1>/*),older(4320)))"
    return contract_of("MuSig2 key path", text, keys, SpendingPath("together", "signer", ("a", "b"), 2), 66)


def leaf_contract() -> Contract:
    """Two of three by a leaf of a Taproot output without a key path, or one after a month by the other leaf."""
    keys = {name: f"{key.public()}/<0;1>/*" for name, key in MASTERS.items()}
    tree = f"{{multi_a(2,{keys['a']},{keys['b']},{keys['c']}),and_v(v:pk({keys['r']}),older(4320))}}"
    path = SpendingPath("leaf", "signer", ("a", "b", "c"), 2, leaf=0)
    return contract_of("Taproot leaf 2-of-3", f"tr({NUMS_KEY},{tree})", keys, path, 303)


Fund = Callable[[int, bytes], Transaction]
"""(number, script) to a transaction whose first output pays COIN_SAT to the script."""


def invented(number: int, script: bytes) -> Transaction:
    """A previous transaction that no chain knows."""
    source = hashlib.sha256(script + number.to_bytes(4, "big")).hexdigest()
    outputs = (TxOut(COIN_SAT, script), TxOut(3 * COIN_SAT, _PAYEE))
    return Transaction(2, (TxIn(OutPoint(source, 0)),), outputs, 0)


def executions(contract: Contract, count: int, fund: Fund = invented) -> Iterator[Execution]:
    """`count` executions, each with a coin and a previous transaction of its own."""
    for number in range(count):
        coin = _coin(contract, number, fund)
        draft = _draft(contract, coin, number)
        base = base_psbt(contract, draft)
        base, partials = _signing(contract)(contract, coin, base)
        yield Execution(
            f"e-{contract.contract_id[:8]}-{number}",
            contract.contract_id,
            contract.terms.paths[0].name,
            HEIGHT + 144,
            base,
            partials,
            *_words(contract, draft.tx.txid),
        )


def contract_of(name: str, text: str, keys: Mapping[str, str], path: SpendingPath, witness_wu: int) -> Contract:
    """In force, with one path; both approvers are of its role."""
    terms = ContractTerms(
        network=_NETWORK.value,
        name=name,
        template="benchmark",
        descriptor=Descriptor.parse(text, _NETWORK).checksum_text,
        epoch=1,
        parties=tuple(Party(party, party, key, "signer") for party, key in keys.items()),
        paths=(path,),
        birth_height=1,
    )
    approvers = tuple(
        Approver(person, person, "proposer" if person == PROPOSER else role_for(path), key.verify_key.encode())
        for person, key in _PEOPLE.items()
    )
    address = address_of(_PAYEE, _NETWORK)
    assert address is not None
    policy = SpendingPolicy(
        contract_id=contract_id(terms),
        policy_version=1,
        approvals_needed=2,
        approvers=approvers,
        owners=(bytes(32),),
        owners_needed=1,
        allow_list=(Destination("payee", address, 0),),
        cooling_blocks=10,
        limits=Limits(COIN_SAT, MOST_SAT, 144, MOST_SAT, 100_000, 100, 40_000),
        recovery_role_people=tuple(_PEOPLE) if path.role == "recovery" else (),
    )
    identity = policy.contract_id
    return Contract(contract_id=identity, terms=terms, policy=policy, boxes={}, witness_wu={path.name: witness_wu})


def _coin(contract: Contract, number: int, fund: Fund) -> Coin:
    index = number % INDEXES
    script = derived_at(contract, (0, index)).script
    previous = fund(number, script)
    return Coin(
        txid=previous.txid,
        vout=0,
        amount_sat=COIN_SAT,
        script=script,
        branch=0,
        index=index,
        height=HEIGHT - 200,
        previous_tx=previous.raw,
    )


def _draft(contract: Contract, coin: Coin, number: int) -> Draft:
    change = derived_at(contract, (1, number % INDEXES)).script
    fee = fee_sat(1_000, _RATE_SAT_KVB)
    outputs = (TxOut(PAID_SAT, _PAYEE), TxOut(COIN_SAT - PAID_SAT - fee, change))
    sequence = sequence_of(contract.terms.paths[0])
    tx = Transaction(2, (TxIn(OutPoint(*coin.outpoint), sequence=sequence),), outputs, LOCK_HEIGHT)
    chosen = Selection((coin,), outputs[1].amount_sat, fee, 0, 0)
    return Draft(tx, (coin,), chosen, 1, number % INDEXES)


def _signing(contract: Contract) -> Callable[[Contract, Coin, bytes], tuple[bytes, tuple[bytes, ...]]]:
    path = contract.terms.paths[0]
    if is_musig(contract, path):
        return _musig_parts
    return _ecdsa_parts if path.leaf is None else _leaf_parts


def _signers(path: SpendingPath, coin: Coin) -> Iterator[ExtendedKey]:
    """The first and the last, as many as the path needs."""
    for name in (path.keys[0], path.keys[-1])[: path.needed]:
        yield MASTERS[name].derive((coin.branch, coin.index))


def _ecdsa_parts(contract: Contract, coin: Coin, base: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    psbt = Psbt.parse(base, quick=True)
    derived = derived_at(contract, (coin.branch, coin.index))
    assert derived.witness_script is not None
    digest = _hasher(psbt).segwit_v0(0, derived.witness_script)
    parts = []
    for key in _signers(contract.terms.paths[0], coin):
        assert key.secret is not None
        signature = sign_ecdsa(key.secret, digest) + bytes((SIGHASH_ALL,))
        parts.append(_with(psbt, partial_signatures={key.public_key: signature}))
    return base, tuple(parts)


def _leaf_parts(contract: Contract, coin: Coin, base: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    psbt, path = Psbt.parse(base, quick=True), contract.terms.paths[0]
    leaf = derived_at(contract, (coin.branch, coin.index)).leaves[path.leaf or 0]
    digest = _hasher(psbt).taproot(0, leaf_script=leaf.script)
    parts = []
    for key in _signers(path, coin):
        assert key.secret is not None
        signature = sign_schnorr(key.secret, digest, bytes(32))
        parts.append(_with(psbt, tap_script_signatures={LeafKey(key.public_key[1:], leaf.leaf_hash): signature}))
    return base, tuple(parts)


def _musig_parts(contract: Contract, coin: Coin, base: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    psbt = Psbt.parse(base, quick=True)
    _, aggregate = key_path_aggregate(derived_at(contract, (coin.branch, coin.index)))
    digest = _hasher(psbt).taproot(0)
    signers = [MASTERS[name] for name in ("a", "b")]
    nonces: list[tuple[ExtendedKey, SecretNonce]] = [
        (key, aggregate.nonce(key.public_key, key.secret or b"", digest)) for key in signers
    ]
    given = [
        _with(psbt, musig_nonces={MusigKey(key.public_key, aggregate.public_key): one.public}) for key, one in nonces
    ]
    asked = with_nonces(base, given)
    public = {key.public_key: one.public for key, one in nonces}
    session = aggregate.session(digest, [public[key] for key in aggregate.public_keys])
    whole = Psbt.parse(asked, quick=True)
    signed = {
        MusigKey(key.public_key, aggregate.public_key): one.sign(key.secret or b"", session) for key, one in nonces
    }
    return asked, tuple(_with(whole, musig_partial_signatures={name: part}) for name, part in signed.items())


def _with(psbt: Psbt, **fields: Mapping[object, bytes]) -> bytes:
    return replace(psbt, inputs=(replace(psbt.inputs[0], **fields),)).raw  # type: ignore[arg-type]


def _hasher(psbt: Psbt) -> Sighasher:
    return Sighasher(psbt.tx, [entry.spent for entry in psbt.inputs if entry.spent is not None])


def _words(contract: Contract, txid: str) -> tuple[bytes, tuple[bytes, ...]]:
    """The proposer's document, and the approvals of the others."""
    approval = Approval(
        contract_id=contract.contract_id,
        network=contract.terms.network,
        policy_version=1,
        txid=txid,
        external_sat=PAID_SAT,
        expiry_height=min(HEIGHT + 144, HIGHEST_HEIGHT),
        role=role_for(contract.terms.paths[0]),
        initiator=PROPOSER,
    )
    proposal = seal(APPROVAL_DOMAIN, msgspec.structs.replace(approval, role="proposer"), [_PEOPLE[PROPOSER]])
    approvers = (key for person, key in _PEOPLE.items() if person != PROPOSER)
    return proposal, tuple(seal(APPROVAL_DOMAIN, approval, [key]) for key in approvers)
