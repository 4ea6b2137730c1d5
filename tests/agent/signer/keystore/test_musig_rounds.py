from pathlib import Path

import pytest

from agent.signer.keystore import HsmKeys, Keystore, MusigRounds, Slot, SoftwareKeys, Token, WrapKey
from shared.bitcoin.musig import KeyAggregate, SecretNonce, Session, sort_keys, taproot_tweak
from shared.bitcoin.signature import public_key_of, verify_schnorr
from shared.errors import Denied, KeyUnsafe

DIGEST = bytes(range(32))
THEIR_SECRET = b"\x21" * 32
THEIRS = public_key_of(THEIR_SECRET)
TXID = "ab" * 32


class Table:
    """The box and one other participant."""

    def __init__(self, token: Token, folder: Path) -> None:
        wrap_key = WrapKey(token, "f0")
        wrap_key.generate("wrap")
        software = SoftwareKeys(folder, wrap_key)
        self.ours = software.generate("k1", "musig").public_key
        self.keystore = Keystore(HsmKeys(token), software)
        self.keystore.open([])
        self.seconds = 0.0
        self.rounds = self.restarted()
        internal = KeyAggregate(sort_keys([self.ours, THEIRS]))
        self.aggregate = internal.tweaked(taproot_tweak(internal.xonly_key))

    def restarted(self) -> MusigRounds:
        return MusigRounds(self.keystore, lambda: self.seconds)

    def slot(self, **changes: object) -> Slot:
        fields = {"txid": TXID, "input_index": 0, "leaf_hash": None, "public_key": self.ours} | changes
        return Slot(**fields)  # type: ignore[arg-type]

    def session(
        self, our_nonce: bytes, digest: bytes = DIGEST, aggregate: KeyAggregate | None = None
    ) -> tuple[Session, SecretNonce]:
        whole = aggregate or self.aggregate
        theirs = whole.nonce(THEIRS, THEIR_SECRET, digest)
        nonces = [our_nonce if key == self.ours else theirs.public for key in whole.public_keys]
        return whole.session(digest, nonces), theirs


@pytest.fixture
def table(token: Token, tmp_path: Path) -> Table:
    return Table(token, tmp_path / "keys")


def refused(table: Table, slot: Slot, session: Session) -> str:
    with pytest.raises(Denied) as caught:
        table.rounds.partial(slot, session)
    return caught.value.rule


def test_two_rounds_make_one_signature(table: Table) -> None:
    session, theirs = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    ours = table.rounds.partial(table.slot(), session)
    parts = {table.ours: ours, THEIRS: theirs.sign(THEIR_SECRET, session)}
    signature = session.combine([parts[key] for key in table.aggregate.public_keys])
    assert verify_schnorr(table.aggregate.xonly_key, DIGEST, signature)
    assert len(table.rounds) == 0


def test_a_nonce_signs_once(table: Table) -> None:
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    table.rounds.partial(table.slot(), session)
    assert refused(table, table.slot(), session) == "musig.nonce"


def test_a_nonce_is_lost_with_a_restart(table: Table) -> None:
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    table.rounds = table.restarted()
    assert refused(table, table.slot(), session) == "musig.nonce"


def test_a_round_that_begins_anew_ends_the_one_before(table: Table) -> None:
    first, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    table.rounds.nonce(table.slot(), table.aggregate, DIGEST)
    assert refused(table, table.slot(), first) == "musig.session"
    assert refused(table, table.slot(), first) == "musig.nonce"


@pytest.mark.parametrize("changes", [{"txid": "cd" * 32}, {"input_index": 1}, {"leaf_hash": b"\x01" * 32}])
def test_a_nonce_is_bound_to_its_slot(table: Table, changes: dict[str, object]) -> None:
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    assert refused(table, table.slot(**changes), session) == "musig.nonce"


def test_a_nonce_signs_no_other_message(table: Table) -> None:
    """libsecp256k1 would sign it."""
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST), b"\x07" * 32)
    assert refused(table, table.slot(), session) == "musig.session"
    good, _ = table.session(session.nonces[table.aggregate.public_keys.index(table.ours)])
    assert refused(table, table.slot(), good) == "musig.nonce"  # gone after the wrong use


def test_a_nonce_signs_for_no_other_participants_tweaks_or_order(table: Table) -> None:
    keys = table.aggregate.public_keys
    tweaks = table.aggregate.tweaks
    for other in (
        KeyAggregate(keys),
        KeyAggregate(tuple(reversed(keys)), tweaks),
        KeyAggregate((*keys, keys[0]), tweaks),
    ):
        nonce = table.rounds.nonce(table.slot(), table.aggregate, DIGEST)
        session, _ = table.session(nonce, aggregate=other)
        assert refused(table, table.slot(), session) == "musig.session"


def test_a_session_without_the_boxs_nonce_is_refused(table: Table) -> None:
    table.rounds.nonce(table.slot(), table.aggregate, DIGEST)
    forged = table.aggregate.nonce(THEIRS, THEIR_SECRET, DIGEST).public
    session, _ = table.session(forged)
    assert refused(table, table.slot(), session) == "musig.session"


def test_a_cancelled_or_old_nonce_does_not_sign(table: Table) -> None:
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    table.rounds.forget(table.slot())
    assert refused(table, table.slot(), session) == "musig.nonce"
    session, _ = table.session(table.rounds.nonce(table.slot(), table.aggregate, DIGEST))
    table.seconds = 3601.0
    assert refused(table, table.slot(), session) == "musig.nonce"
    assert len(table.rounds) == 0


def test_a_key_that_is_not_a_participant_gets_no_nonce(table: Table) -> None:
    with pytest.raises(Denied) as caught:
        table.rounds.nonce(table.slot(), KeyAggregate([THEIRS]), DIGEST)
    assert caught.value.rule == "musig.session"
    with pytest.raises(KeyUnsafe):
        table.rounds.nonce(table.slot(public_key=THEIRS), table.aggregate, DIGEST)


def test_open_nonces_are_bounded(table: Table) -> None:
    for index in range(520):
        table.rounds.nonce(table.slot(input_index=index), table.aggregate, DIGEST)
    assert len(table.rounds) == 512
