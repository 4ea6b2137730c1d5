"""Real spends of a contract: keys that sign, witnesses that the consensus engine judges."""

from functools import cache

import wallycore

from controller.contracts.compiled import Compiled
from controller.contracts.route import Route
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.miniscript import NUMS_KEY, Assets, Context, fill, satisfy
from shared.bitcoin.miniscript.script_tree import scripts_of
from shared.bitcoin.musig import KeyAggregate, taproot_tweak
from shared.bitcoin.network import Network
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import sign_schnorr
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.controller.contracts.scene import secret

MOST_PARTIES = 10


class Spender:
    """Everybody's secrets for one contract at one address."""

    def __init__(self, compiled: Compiled, branch: int = 0, index: int = 0) -> None:
        self.terms = compiled.terms
        self.descriptor = Descriptor.parse(compiled.terms.descriptor, Network.REGTEST)
        self.derived = self.descriptor.derive(branch, index if self.descriptor.is_ranged else 0)
        self.scripts = scripts_of(compiled.terms.descriptor)
        texts = [key.text for key in self.descriptor.keys]
        self.key_of = dict(zip(texts, self.derived.keys, strict=True))
        self.secret_of = {
            text: next(found for found in _secrets(text, branch, index) if _public(found) == key)
            for text, key in self.key_of.items()
            if text != NUMS_KEY
        }

    @property
    def script(self) -> bytes:
        return self.derived.script

    def keys_of(self, names: set[str]) -> set[str]:
        """Key expressions of parties, all their branches."""
        cores = {party.key.partition("/")[0] for party in self.terms.parties if party.name in names}
        return {text for text in self.key_of if text.partition("/")[0] in cores}

    def unsigned(self, route: Route, coins: list[tuple[OutPoint, TxOut]], outputs: tuple[TxOut, ...]) -> Transaction:
        sequence = 0xFFFFFFFD if route.path.older_blocks is None else route.path.older_blocks
        inputs = tuple(TxIn(outpoint, sequence=sequence) for outpoint, _ in coins)
        return Transaction(2, inputs, outputs, route.path.after_height or 0)

    def signed(
        self, route: Route, tx: Transaction, coins: list[tuple[OutPoint, TxOut]], names: set[str]
    ) -> Transaction | None:
        """With the witness of each input; None where these signers cannot make one."""
        hasher = Sighasher(tx, [output for _, output in coins])
        witnesses = [self._witness(route, tx, hasher, at, names) for at in range(len(tx.inputs))]
        if any(witness is None for witness in witnesses):
            return None
        inputs = tuple(
            TxIn(one.outpoint, sequence=one.sequence, witness=witness)
            for one, witness in zip(tx.inputs, witnesses, strict=True)
        )
        return Transaction(tx.version, inputs, tx.outputs, tx.lock_time)

    def _witness(self, route: Route, tx: Transaction, hasher: Sighasher, at: int, names: set[str]):
        if route.path.name.startswith("key path"):
            return (self._key_path(hasher.taproot(at)),) if set(route.path.keys) <= names else None
        leaf = route.path.leaf
        node = self.scripts.scripts[leaf or 0].node
        keys = self.keys_of(names)
        sequence, lock_time = tx.inputs[at].sequence, tx.lock_time
        items = satisfy(node, Assets(keys=keys, sequence=sequence, lock_time=lock_time))
        if items is None:
            return None
        if node.context is Context.P2WSH:
            script = self.derived.witness_script
            digest = hasher.segwit_v0(at, script)
            signatures = {key: largest_ecdsa(self.secret_of[key], digest) for key in keys}
            return (*fill(items, signatures, self.key_of, {}), script)
        found = self.derived.leaves[leaf]
        digest = hasher.taproot(at, leaf_script=found.script)
        signatures = {key: schnorr(self.secret_of[key], digest) for key in keys}
        xonly = {text: key[1:] for text, key in self.key_of.items()}
        return (*fill(items, signatures, xonly, {}), found.script, found.control_block)

    def _key_path(self, digest: bytes) -> bytes:
        tweak = taproot_tweak(self.derived.internal_key, self.derived.merkle_root or b"")
        if not self.derived.aggregates:
            (text,) = [text for text, key in self.key_of.items() if key[1:] == self.derived.internal_key]
            tweaked = wallycore.ec_private_key_bip341_tweak(self.secret_of[text], self.derived.merkle_root, 0)
            return sign_schnorr(bytes(tweaked), digest, bytes(32))
        aggregate = KeyAggregate(self.derived.aggregates[0].participants, (tweak,))
        secrets = {key: self.secret_of[text] for text, key in self.key_of.items()}
        signers = self.derived.aggregates[0].participants
        nonces = [aggregate.nonce(key, secrets[key], digest) for key in signers]
        session = aggregate.session(digest, [nonce.public for nonce in nonces])
        return session.combine([nonce.sign(secrets[key], session) for nonce, key in zip(nonces, signers, strict=True)])


@cache
def largest_ecdsa(signer: bytes, digest: bytes) -> bytes:
    """A signature of 72 bytes with its flag, as half of all that a token makes (low S, but r with a leading zero)."""
    for salt in range(256):
        compact = wallycore.ec_sig_from_bytes_aux(signer, digest, bytes([salt]) * 32, wallycore.EC_FLAG_ECDSA)
        if compact[0] >= 0x80:
            return bytes(wallycore.ec_sig_to_der(compact)) + b"\x01"
    raise AssertionError("no such signature in 256 tries")


@cache
def schnorr(signer: bytes, digest: bytes) -> bytes:
    return sign_schnorr(signer, digest, bytes(32))


def _secrets(text: str, branch: int, index: int):
    """All that could be behind a key expression of the scene."""
    for number in range(MOST_PARTIES):
        yield secret(number)
        if "<" in text:
            branches = text.partition("<")[2].partition(">")[0].split(";")
            yield ExtendedKey.from_seed(secret(number), Network.REGTEST).derive((int(branches[branch]), index)).secret


def _public(found: bytes) -> bytes:
    return bytes(wallycore.ec_public_key_from_private_key(found))
