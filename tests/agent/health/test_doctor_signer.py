"""The doctor at a signing box with a real token: what is wrong is found, and what is right is not called ill."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agent.health import doctor_signer
from agent.health.doctor_signer import signing_checks
from agent.health.finding import Finding, Grade
from agent.settings import SignerSettings
from agent.signer.clock.model import ChainTime
from agent.signer.keystore import Hardening, HsmKeys, Pin, Token
from agent.signer.ledger import EntryKind, Ledger, Note
from shared.crypto.keys import key_id, load_or_create
from shared.errors import BesError, Corrupt, KeyUnsafe, PinRefused, SettingInvalid, TokenUnavailable
from shared.wire.codec import encode
from shared.wire.contract import contract_id
from tests.agent.signer.scene import policy, sealed_policy, terms
from tests.softhsm import PIN, SoftHsm

CONTRACT = "ab" * 32


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignerSettings]:
    """A whole box before its first start. Hardening cannot be undone, so here it is only told."""
    monkeypatch.setattr(doctor_signer, "harden", lambda: Hardening(True, True, True))
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    with SoftHsm(tmp_path / "hsm") as hsm:
        place = hsm.add_token()
        with Token(place, Pin(PIN)) as token:
            key = HsmKeys(token).generate("a1", "box-1")
        yield SignerSettings(
            site="tx1",
            node="box-1",
            state_directory=tmp_path,
            operators=("ab" * 32,),
            signing={
                "network": "regtest",
                "owners": ["ab" * 32],
                "owners_needed": 1,
                "checkpoint_height": 0,
                "checkpoint_hash": "00" * 32,
                "token": {"module": place.module, "label": place.label, "serial": place.serial, "pin": str(pin)},
                "keys": [{"id": "a1", "public_key": key.public_key.hex()}],
            },
        )


def found(settings: SignerSettings, check: str) -> Finding:
    return dict(signing_checks(settings))[check]()


def changed(settings: SignerSettings, **signing: object) -> SignerSettings:
    assert settings.signing is not None
    return settings.model_copy(update={"signing": settings.signing.model_copy(update=signing)})


def elsewhere(settings: SignerSettings, **token: object) -> SignerSettings:
    assert settings.signing is not None
    return changed(settings, token=settings.signing.token.model_copy(update=token))


async def ledger(settings: SignerSettings, witnesses_needed: int) -> Path:
    path = settings.state_directory / "ledger.db"
    box_id = key_id(load_or_create(settings.state_directory / "node.key").verify_key)
    opened = Ledger(path, box_id=box_id, boot_id="boot")
    await opened.open()
    document = policy(CONTRACT, witnesses_needed=witnesses_needed)
    note = Note(kind=EntryKind.POLICY, subject=CONTRACT, policy_version=1, body=sealed_policy(document))
    await opened.record(note, ChainTime(1, 1))
    await opened.close()
    return path


def test_a_box_without_signing_says_so(settings):
    assert found(settings.model_copy(update={"signing": None}), "signing").grade is Grade.WEAK


def test_a_token_with_its_pinned_key_is_good(settings):
    assert found(settings, "token").grade is Grade.GOOD
    assert found(settings, "token pin").grade is Grade.GOOD


@pytest.mark.parametrize("token", [{"serial": "0000"}, {"label": "other"}])
def test_another_token_is_found(settings, token):
    with pytest.raises(TokenUnavailable, match="connect it, or correct"):
        found(elsewhere(settings, **token), "token")


def test_a_module_that_is_not_there_is_found(settings, tmp_path):
    with pytest.raises(BesError, match="no-module"):
        found(elsewhere(settings, module=tmp_path / "no-module.so"), "token")


def test_a_key_that_is_not_the_pinned_one_is_found(settings):
    (key,) = settings.signing.keys
    wrong = key.model_copy(update={"public_key": "02" + "ab" * 32})
    with pytest.raises(KeyUnsafe, match="pinned"):
        found(changed(settings, keys=(wrong,)), "token")


def test_a_box_without_keys_is_told_how_to_make_them(settings):
    assert "new-keys" in found(changed(settings, keys=()), "token").mend


def test_a_pin_that_others_may_read_and_a_wrong_one_are_found(settings):
    pin = Path(settings.signing.token.pin)
    pin.chmod(0o640)
    with pytest.raises(SettingInvalid, match="chmod 600"):
        found(settings, "token pin")
    pin.chmod(0o600)
    pin.write_text("000000")
    with pytest.raises(PinRefused):
        found(settings, "token")


def test_a_credential_is_read_by_an_access_list_but_not_by_everybody(settings, monkeypatch):
    pin = Path(settings.signing.token.pin)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(pin.parent))
    pin.chmod(0o440)
    assert found(settings, "token pin").grade is Grade.GOOD
    pin.chmod(0o444)
    with pytest.raises(SettingInvalid):
        found(settings, "token pin")


async def test_a_ledger_without_witnesses_is_weak_and_one_with_them_is_good(settings):
    assert found(settings, "ledger").grade is Grade.WEAK
    await ledger(settings, witnesses_needed=0)
    assert found(settings, "ledger").grade is Grade.GOOD
    weak = found(settings, "witnesses")
    assert weak.grade is Grade.WEAK
    assert CONTRACT[:12] in weak.found


async def test_witnesses_are_good(settings):
    await ledger(settings, witnesses_needed=1)
    assert found(settings, "witnesses").grade is Grade.GOOD


async def test_a_row_that_was_changed_is_found(settings):
    path = await ledger(settings, witnesses_needed=1)
    with closing(sqlite3.connect(path)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entry SET height = 7 WHERE seq = 2")
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    with pytest.raises(Corrupt, match="row 2"):
        found(settings, "ledger")


def test_headers_that_are_old_or_never_came_are_found(settings):
    assert "none" in found(settings, "headers").found
    file = settings.state_directory / "headers" / "headers.dat"
    file.parent.mkdir()
    for age_s, grade in ((60, Grade.GOOD), (100 * 3600, Grade.WEAK)):
        file.write_bytes(bytes(68) + int(time.time() - age_s).to_bytes(4, "little") + bytes(8))
        assert found(settings, "headers").grade is grade


@pytest.mark.parametrize(
    ("reached", "grade"),
    [((True, True, True), Grade.GOOD), ((True, True, False), Grade.WEAK), ((True, False, True), Grade.BAD)],
)
def test_memory_that_others_could_read_is_found(settings, monkeypatch, reached, grade):
    monkeypatch.setattr(doctor_signer, "harden", lambda: Hardening(*reached))
    assert found(settings, "memory").grade is grade


async def test_a_contract_that_does_not_pass_any_more_is_named(settings):
    assert found(settings, "contracts").grade is Grade.GOOD
    path = await ledger(settings, 0)
    assert "has no terms" in found(settings, "contracts").found
    assert found(settings, "contracts").grade is Grade.BAD
    path.unlink()
    box_id = key_id(load_or_create(settings.state_directory / "node.key").verify_key)
    opened = Ledger(path, box_id=box_id, boot_id="boot")
    await opened.open()
    bare = msgspec.structs.replace(terms(), paths=terms().paths[:1])
    for contract in (terms(), bare):
        subject = contract_id(contract)
        await opened.record(Note(kind=EntryKind.CONTRACT, subject=subject, body=encode(contract)), ChainTime(1, 1))
        body = sealed_policy(policy(subject))
        await opened.record(Note(kind=EntryKind.POLICY, subject=subject, policy_version=1, body=body), ChainTime(1, 1))
    await opened.close()
    finding = found(settings, "contracts")
    assert finding.grade is Grade.BAD
    assert contract_id(bare)[:12] in finding.found
    assert contract_id(terms())[:12] not in finding.found


async def test_a_torn_end_and_the_setting_that_accepts_one_are_told(settings):
    """Half of the last commit has not reached the disk, as a power cut leaves it."""
    box_id = key_id(load_or_create(settings.state_directory / "node.key").verify_key)
    live = Ledger(settings.state_directory / "live.db", box_id=box_id, boot_id="boot")
    await live.open()
    await live.record(Note(kind=EntryKind.REFUSAL), ChainTime(1, 1))
    for suffix in ("", "-wal"):
        content = bytearray((settings.state_directory / f"live.db{suffix}").read_bytes())
        if suffix:
            content[-100:] = bytes(100)
        (settings.state_directory / f"ledger.db{suffix}").write_bytes(content)
    await live.close()
    finding = found(settings, "ledger")
    assert (finding.grade, "does not start" in finding.found) == (Grade.BAD, True)
    accepting = changed(settings, accept_torn_end=True)
    assert found(accepting, "ledger").grade is Grade.WEAK
    assert "take accept_torn_end out" in found(accepting, "ledger").mend
