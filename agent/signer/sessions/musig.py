"""The box's part in MuSig2 (BIP-327): a nonce in one request, a partial signature in the next.

Participants and tweaks are those of the registered descriptor; of the PSBT only the nonces of the others are believed,
and a wrong one of them spoils the signature and nothing else. Keys are named as in BIP-373, by the key signed under.
"""

from dataclasses import replace

from agent.signer.keystore import Slot
from agent.signer.policy.case import Case
from agent.signer.policy.place import Place
from agent.signer.rule import MUSIG_SESSION
from agent.signer.sessions.ports import Rounds
from shared.bitcoin.descriptor import Derived
from shared.bitcoin.descriptor.aggregate import output_key
from shared.bitcoin.musig import KeyAggregate
from shared.bitcoin.psbt.psbt import PsbtInput
from shared.bitcoin.psbt.value import MusigKey
from shared.bitcoin.sighash import Sighasher
from shared.errors import BitcoinMalformed, Denied


def require_fitting_round(case: Case) -> None:
    """`musig.session` where a round is asked for that the path has not."""
    wants = case.path.leaf is None and _key_path(case.places[0].derived) is not None
    if wants is (case.request.round == "sign"):
        how = "in two rounds, nonce and partial" if wants else "in one round, sign"
        raise Denied(MUSIG_SESSION, f"path {case.path.name!r} is signed {how}; {case.request.round!r} was asked for")


class MusigSigner:
    """Makes nonces and partial signatures of one transaction, input by input."""

    def __init__(self, case: Case, rounds: Rounds) -> None:
        self._txid = case.tx.txid
        self._rounds = rounds
        self._sighasher = Sighasher(case.tx, case.coins)

    def nonce(self, index: int, place: Place, claimed: PsbtInput, ours: tuple[bytes, ...]) -> PsbtInput:
        aggregate, digest = _aggregate(place), self._sighasher.taproot(index)
        nonces = dict(claimed.musig_nonces)
        for key in ours:
            public = self._rounds.nonce(self._slot(index, key), aggregate, digest)
            nonces[MusigKey(key, aggregate.public_key)] = public
        return replace(claimed, musig_nonces=nonces)

    def partial(self, index: int, place: Place, claimed: PsbtInput, ours: tuple[bytes, ...]) -> PsbtInput:
        aggregate, digest = _aggregate(place), self._sighasher.taproot(index)
        keys = [MusigKey(key, aggregate.public_key) for key in aggregate.public_keys]
        missing = [key for key in keys if key not in claimed.musig_nonces]
        if missing:
            raise Denied(MUSIG_SESSION, f"input {index}: the nonce of {missing[0].participant.hex()} is missing")
        try:
            session = aggregate.session(digest, [claimed.musig_nonces[key] for key in keys])
        except BitcoinMalformed as error:
            raise Denied(MUSIG_SESSION, f"input {index}: {error.detail}") from error
        partials = dict(claimed.musig_partial_signatures)
        for key in ours:
            partials[MusigKey(key, aggregate.public_key)] = self._rounds.partial(self._slot(index, key), session)
        return replace(claimed, musig_partial_signatures=partials)

    def _slot(self, index: int, key: bytes) -> Slot:
        return Slot(self._txid, index, None, key)


def _aggregate(place: Place) -> KeyAggregate:
    found = _key_path(place.derived)
    assert found is not None, "require_fitting_round was asked first"
    return found


def _key_path(derived: Derived) -> KeyAggregate | None:
    """The key that the participants sign under together: steps of BIP-328, then BIP-341."""
    for each in derived.aggregates:
        if derived.internal_key == each.key[1:]:
            return output_key(each.participants, each.origin.path, derived.merkle_root or b"")
    return None
