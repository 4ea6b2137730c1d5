"""A treasury in memory: keys by name, descriptors over them, coins, and signers that sign what a PSBT asks for."""

import hashlib
from dataclasses import replace

import pytest

from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.hashes import hash160
from shared.bitcoin.key_origin import HARDENED
from shared.bitcoin.musig import KeyAggregate, SecretNonce
from shared.bitcoin.network import Network
from shared.bitcoin.psbt import LeafKey, MusigKey, Psbt
from shared.bitcoin.psbt.build import Coin, create
from shared.bitcoin.psbt.merge import ADDED
from shared.bitcoin.psbt.musig import session
from shared.bitcoin.psbt.psbt import PsbtInput, PsbtOutput
from shared.bitcoin.script import ScriptKind, kind, p2wpkh_script_code
from shared.bitcoin.sighash import Sighasher, leaf_hash
from shared.bitcoin.signature import sign_ecdsa, sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut


class Signer:
    """One person's BIP-32 key at m/48h/1h."""

    def __init__(self, name: str) -> None:
        master = ExtendedKey.from_seed(hashlib.sha512(name.encode()).digest(), Network.REGTEST)
        self._key = master.derive((HARDENED + 48, HARDENED + 1))
        self.fingerprint = master.fingerprint
        self.text = f"[{self.fingerprint.hex()}/48h/1h]{self._key.public()}"

    def secret(self, origin) -> bytes | None:
        return self._key.derive(origin.path[2:]).secret if origin.fingerprint == self.fingerprint else None

    def sign(self, psbt: Psbt) -> Psbt:
        """A signature wherever a derivation names the key, in the key path and in every leaf."""
        hasher = Sighasher(psbt.tx, [entry.spent for entry in psbt.inputs])
        inputs = [self._input(entry, index, hasher) for index, entry in enumerate(psbt.inputs)]
        return replace(psbt, inputs=tuple(inputs))

    def _input(self, entry, index, hasher):
        signatures, leaves = dict(entry.partial_signatures), dict(entry.tap_script_signatures)
        program = entry.redeem_script or entry.spent.script
        code = p2wpkh_script_code(program) if kind(program) is ScriptKind.P2WPKH else entry.witness_script
        for key, origin in entry.derivations.items():
            if secret := self.secret(origin):
                signatures[key] = sign_ecdsa(secret, hasher.segwit_v0(index, code)) + b"\x01"
        scripts = {leaf_hash(leaf.script): leaf.script for leaf in entry.tap_leaf_scripts.values()}
        for key, derivation in entry.tap_derivations.items():
            secret = self.secret(derivation.origin)
            for digest in derivation.leaf_hashes if secret else ():
                if key in scripts[digest] or hash160(key) in scripts[digest]:
                    signed = sign_schnorr(secret, hasher.taproot(index, leaf_script=scripts[digest]), bytes(32))
                    leaves[LeafKey(key, digest)] = signed
        return replace(entry, partial_signatures=signatures, tap_script_signatures=leaves)

    def nonce(self, psbt: Psbt, index: int, key: KeyAggregate, leaf: bytes | None) -> tuple[Psbt, SecretNonce]:
        """Round one for one input: what the signer sends, and what it keeps."""
        participant, secret = self._participant(psbt.inputs[index])
        nonce = key.nonce(participant, secret, self._digest(psbt, index, leaf))
        name = MusigKey(participant, key.public_key, leaf and leaf_hash(leaf))
        return _only(psbt, index, musig_nonces={name: nonce.public}), nonce

    def partial(self, psbt: Psbt, index: int, key: KeyAggregate, leaf: bytes | None, nonce: SecretNonce) -> Psbt:
        """Round two, when the PSBT holds all nonces."""
        participant, secret = self._participant(psbt.inputs[index])
        name = MusigKey(participant, key.public_key, leaf and leaf_hash(leaf))
        found = session(psbt.inputs[index], key.public_key, name.leaf_hash, self._digest(psbt, index, leaf))
        return _only(psbt, index, musig_partial_signatures={name: nonce.sign(secret, found)})

    def _digest(self, psbt, index, leaf):
        return Sighasher(psbt.tx, [entry.spent for entry in psbt.inputs]).taproot(index, leaf_script=leaf)

    def _participant(self, entry):
        for participants in entry.musig_participants.values():
            for key in participants:
                if secret := self.secret(entry.tap_derivations[key[1:]].origin):
                    return key, secret
        raise AssertionError("no key of this signer takes part")


def _only(psbt, index, **added):
    bare = signatures_only(replace(psbt, inputs=tuple(replace(entry, musig_nonces={}) for entry in psbt.inputs)))
    inputs = [replace(entry, **added) if at == index else entry for at, entry in enumerate(bare.inputs)]
    return replace(bare, inputs=tuple(inputs))


class Treasury:
    """Coins of 50,000 sat, two at a time, on addresses 0 and 1 of a descriptor."""

    def __init__(self) -> None:
        self.signers = {name: Signer(name) for name in "ABCR"}

    def descriptor(self, template: str) -> Descriptor:
        """`<A>` in the template stands for A's key with branches 0 and 1, `<A2>` with 2 and 3, `<A0>` without."""
        names = {name: f"{signer.text}/<0;1>/*" for name, signer in self.signers.items()}
        names |= {f"{name}2": f"{signer.text}/<2;3>/*" for name, signer in self.signers.items()}
        names |= {f"{name}0": signer.text for name, signer in self.signers.items()}
        for name, text in names.items():
            template = template.replace(f"<{name}>", text)
        return Descriptor.parse(template, Network.REGTEST)

    def spending(self, descriptor: Descriptor, *, version: int = 0, sequence: int = 0xFFFFFFFD, lock_time: int = 0):
        derived = [descriptor.derive(0, index) for index in (0, 1)]
        change = descriptor.derive(1, 0)
        funding = [
            Transaction(2, (TxIn(OutPoint("11" * 32, index)),), (TxOut(1, b"\x51"), TxOut(50_000, one.script)), 0)
            for index, one in enumerate(derived)
        ]
        tx = Transaction(
            2,
            tuple(TxIn(OutPoint(one.txid, 1), sequence=sequence) for one in funding),
            (TxOut(60_000, bytes.fromhex("0014" + "22" * 20)), TxOut(39_000, change.script)),
            lock_time,
        )
        coins = [Coin(previous, one) for previous, one in zip(funding, derived, strict=True)]
        return create(tx, coins, (None, change), version=version)


@pytest.fixture(scope="session")
def treasury() -> Treasury:
    return Treasury()


def signatures_only(psbt: Psbt) -> Psbt:
    """What a signer sends back: as small as a PSBT with these signatures can be."""
    inputs = tuple(
        PsbtInput(**{name: getattr(entry, name) for name in (*ADDED, "sequence", "required_time", "required_height")})
        for entry in psbt.inputs
    )
    return replace(psbt, inputs=inputs, outputs=tuple(PsbtOutput() for _ in psbt.outputs), xpubs={}, unknown={})
