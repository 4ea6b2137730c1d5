from pathlib import Path

import msgspec
import pytest
import structlog
from pkcs11 import TokenFlag
from pkcs11.exceptions import PinExpired, PinIncorrect, PinLocked, PKCS11Error

from agent.signer.keystore.pin import Pin, read_pin
from agent.signer.keystore.token import Token, TokenAddress
from shared.errors import PinRefused, SettingInvalid, SettingMissing, TokenUnavailable
from shared.log import redactor
from tests.softhsm import MODULE, PIN, SoftHsm


def pin_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "pin"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_pin_comes_from_a_private_file(tmp_path: Path) -> None:
    assert read_pin(str(pin_file(tmp_path, "864201\n"))).reveal() == "864201"


def test_the_pin_comes_from_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_file(tmp_path, "864201")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_pin("pin").reveal() == "864201"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_pin_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingInvalid, match="chmod 600"):
        read_pin(str(pin_file(tmp_path, "864201", mode)))


@pytest.mark.parametrize("text", ["", "123", "1" * 65, "one\ntwo", "zwölf"])
def test_what_cannot_be_a_pin_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        read_pin(str(pin_file(tmp_path, text)))
    assert not text or text not in str(caught.value)


def test_a_missing_pin_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingMissing, match="nowhere"):
        read_pin(str(tmp_path / "nowhere"))


def test_a_pin_shows_neither_in_text_nor_in_logs() -> None:
    pin = Pin("very-secret-pin")
    assert "very" not in f"{pin!r} {pin}"
    assert "very" not in str(redactor(structlog.stdlib.get_logger(), "info", {"event": "got very-secret-pin"}))


def test_a_token_is_found_by_label_and_serial(hsm: SoftHsm) -> None:
    """Two tokens may have one label."""
    first, second = hsm.add_token("box"), hsm.add_token("box")
    assert first.serial != second.serial
    for address in (first, second):
        with Token(address, Pin(PIN)) as token:
            assert token.run(lambda session: session.token.serial.decode()) == address.serial


def test_a_token_that_is_not_there_is_told_with_those_that_are(hsm: SoftHsm) -> None:
    there = hsm.add_token("box")
    for address in (
        msgspec.structs.replace(there, serial="0" * 16),
        msgspec.structs.replace(there, label="other"),
    ):
        with (
            pytest.raises(TokenUnavailable, match="none" if address.label == "other" else there.serial),
            Token(address, Pin(PIN)),
        ):
            pass


def test_a_module_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    address = TokenAddress(tmp_path / "absent.so", "box", "1")
    with pytest.raises(TokenUnavailable, match=r"absent\.so"), Token(address, Pin(PIN)):
        pass


def test_a_wrong_pin_is_tried_once(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    token = Token(hsm.add_token(), Pin("111111"))
    with pytest.raises(PinRefused):
        token.run(lambda session: session)
    with pytest.raises(PinRefused, match="before"):
        token.run(lambda session: session)
    token.close()


def test_a_lost_session_is_opened_again(token: Token) -> None:
    sessions = token.sessions
    token.run(lambda session: session.close() if token.sessions == sessions else None)
    assert token.run(lambda session: len(session.generate_random(64))) == 8
    assert token.sessions == sessions + 1


def test_a_module_that_failed_is_unavailable_once(hsm: SoftHsm, token: Token) -> None:
    hsm.forget()
    with pytest.raises(TokenUnavailable):
        token.run(lambda session: session.generate_random(64))
    assert token.run(lambda session: len(session.generate_random(64))) == 8


def test_two_programs_parts_share_one_login(token: Token) -> None:
    with Token(token.address, Pin(PIN)) as second:
        assert second.run(lambda session: len(session.generate_random(64))) == 8


class Guarded:
    """A token that counts wrong PINs, which SoftHSM2 does not."""

    def __init__(self, flags: TokenFlag, refusal: type[PKCS11Error] | None = None) -> None:
        self.flags = flags
        self.opened = 0
        self._refusal = refusal

    def open(self, **_login: object) -> object:
        self.opened += 1
        if self._refusal:
            raise self._refusal
        return object()


LOCKED = (
    (TokenFlag.USER_PIN_LOCKED, None, "security officer", 0),
    (TokenFlag.USER_PIN_FINAL_TRY, None, "one try left", 0),
    (TokenFlag(0), PinLocked, "security officer", 1),
    (TokenFlag(0), PinExpired, "security officer", 1),
    (TokenFlag.USER_PIN_COUNT_LOW, PinIncorrect, "refused the PIN", 1),
)


@pytest.mark.parametrize(("flags", "refusal", "told", "tries"), LOCKED)
def test_a_token_is_never_driven_into_its_lock(
    monkeypatch: pytest.MonkeyPatch, flags: TokenFlag, refusal: type[PKCS11Error] | None, told: str, tries: int
) -> None:
    guarded = Guarded(flags, refusal)
    token = Token(TokenAddress(MODULE, "box", "1"), Pin(PIN))
    monkeypatch.setattr(token, "_find", lambda: guarded)
    with pytest.raises(PinRefused, match=told) as caught:
        token.run(lambda session: session)
    assert PIN not in str(caught.value)
    for _ in range(3):
        with pytest.raises(PinRefused):
            token.run(lambda session: session)
    assert guarded.opened == tries
