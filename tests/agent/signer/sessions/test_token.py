"""The token goes away, comes back, refuses: a real one, whose folder is moved."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agent.signer.keystore import HsmKey, HsmKeys, Keystore, Pin, SoftwareKeys, Token, WrapKey
from agent.signer.ledger import EntryKind
from agent.signer.sessions import token_guard
from shared.bitcoin.psbt.psbt import Psbt, PsbtOutput
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.errors import KeyUnsafe, PinRefused, TokenUnavailable
from shared.wire.contract import Party, SpendingPath
from shared.wire.signing import SigningAnswer
from tests.agent.signer.scene import SUPPLIER, Box, coin
from tests.softhsm import PIN, SoftHsm

OTHER = public_key_of(b"\x0c" * 32)


class Stage(NamedTuple):
    """A box that signs with a token, and the folder that the token lives in."""

    box: Box
    token: Token
    key: HsmKey
    folder: Path

    async def ask(self, salt: int) -> SigningAnswer:
        return await self.box.ask(payment_of(self.box, salt))

    def take_away(self) -> None:
        self.folder.rename(self.folder.with_name("away"))

    def bring_back(self) -> None:
        self.folder.with_name("away").rename(self.folder)


def payment_of(box: Box, salt: int) -> Psbt:
    """Static keys have one script: change goes where the coin came from."""
    one = coin(box.descriptor, salt=salt)
    outputs = (TxOut(100_000, SUPPLIER), TxOut(398_000, one.previous.outputs[0].script))
    tx = Transaction(2, (TxIn(one.outpoint, sequence=0xFFFFFFFD),), outputs, 0)
    return Psbt(version=0, tx=tx, inputs=(one.as_input,), outputs=(PsbtOutput(), PsbtOutput()))


@pytest.fixture
def hsm(tmp_path: Path) -> Iterator[SoftHsm]:
    with SoftHsm(tmp_path / "hsm") as running:
        yield running


@pytest.fixture
async def stage(tmp_path: Path, hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(token_guard, "_AGAIN_S", 0.0)
    with Token(hsm.add_token(), Pin(PIN)) as token:
        keys = HsmKeys(token)
        key = keys.generate("a1", "box-1")
        keystore = Keystore(keys)
        keystore.open([key])
        parties = (Party("a", "box-1", key.public_key.hex(), "signer"), Party("b", "box-2", OTHER.hex(), "signer"))
        paths = (SpendingPath("normal", "signer", ("a", "b"), 2),)
        descriptor = f"wsh(multi(2,{key.public_key.hex()},{OTHER.hex()}))"
        box = await Box(tmp_path, descriptor, keystore, changed={"parties": parties, "paths": paths}).open()
        yield Stage(box, token, key, hsm.folder / "tokens")
        await box.close()


async def test_a_token_that_is_away_is_a_refusal_by_name_and_one_that_is_back_signs(stage):
    assert (await stage.ask(1)).outcome == "signed"
    stage.take_away()
    answer = await stage.ask(2)
    assert (answer.outcome, answer.rule, answer.psbt) == ("refused", "token.away", b"")
    assert stage.box.sessions.stopped == "token.away"
    debits = [row for row in await stage.box.rows() if row.kind == EntryKind.DEBIT]
    assert (await stage.ask(3)).rule == "token.away"
    assert [row for row in await stage.box.rows() if row.kind == EntryKind.DEBIT] == debits, "known before the debit"
    stage.bring_back()
    assert (await stage.ask(2)).outcome == "signed", "debited before, signed now"
    assert (await stage.ask(3)).outcome == "signed"
    assert stage.box.sessions.stopped == ""


async def test_a_token_that_is_pulled_while_nobody_asks_is_found_out_by_looking(stage):
    stage.take_away()
    await stage.box.sessions.token.look()
    assert stage.box.sessions.stopped == "token.away"
    stage.bring_back()
    await stage.box.sessions.token.look()
    assert stage.box.sessions.stopped == ""


async def test_a_session_that_was_lost_is_nobodys_trouble(stage):
    stage.token.close()
    assert (await stage.ask(1)).outcome == "signed"


async def test_a_pin_that_is_refused_is_shown_once_however_many_ask(stage, monkeypatch):
    """Somebody changed the PIN while the token was away."""
    shown = []
    opened = stage.token._log_in

    def counted(token):
        if not stage.token._pin_refused:
            shown.append(token)
        return opened(token)

    monkeypatch.setattr(stage.token, "_log_in", counted)
    monkeypatch.setattr(stage.token, "_pin", Pin("111111"))
    stage.token.close()
    for salt in range(5):
        answer = await stage.ask(salt)
        assert answer.rule == "token.pin"
        assert "111111" not in answer.detail
    assert (len(shown), stage.box.sessions.stopped) == (1, "token.pin")


async def test_another_token_in_its_place_signs_nothing(stage, hsm):
    """The same label and serial, and a key that is not the pinned one."""
    stage.token.close()
    other = msgspec.structs.replace(stage.key, public_key=OTHER)
    stage.box.keys._hsm._pinned = {other.key_id: other}
    answer = await stage.ask(1)
    assert (answer.rule, stage.box.sessions.stopped) == ("token.key", "token.key")


def test_keys_that_were_known_while_the_token_was_away_are_checked_when_it_is_back(tmp_path, hsm):
    place = hsm.add_token()
    with Token(place, Pin(PIN)) as token:
        key = HsmKeys(token).generate("a1", "box-1")
        WrapKey(token, "f0").generate("wrap")
        SoftwareKeys(tmp_path / "keys", WrapKey(token, "f0")).generate("b1", "operating")
    hsm.forget()
    tokens = hsm.folder / "tokens"
    tokens.rename(hsm.folder / "away")
    token = Token(place, Pin(PIN))
    keystore = Keystore(HsmKeys(token), SoftwareKeys(tmp_path / "keys", WrapKey(token, "f0")))
    with pytest.raises(TokenUnavailable):
        keystore.open([key])
    assert key.public_key in keystore.public_keys
    with pytest.raises(KeyUnsafe):
        keystore.sign_ecdsa(key.public_key, bytes(32))
    (hsm.folder / "away").rename(tokens)
    keystore.check()
    assert keystore.sign_ecdsa(key.public_key, bytes(32))
    assert len(keystore.public_keys) == 2
    token.close()


def test_a_wrong_pin_does_not_end_the_start_and_is_not_tried_again(tmp_path, hsm):
    token = Token(hsm.add_token(), Pin("111111"))
    keystore = Keystore(HsmKeys(token))
    for told in ("refused the PIN", "before", "before"):
        with pytest.raises(PinRefused, match=told):
            keystore.open([])
