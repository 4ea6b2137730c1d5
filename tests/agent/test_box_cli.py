"""The words of `bes box`, said to a real token."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.box_cli import app
from agent.settings import SignerSettings
from agent.signer.keystore import HsmKeys, Pin, Token, TokenAddress
from tests.softhsm import PIN, SoftHsm

SETTINGS = """
site = "treasury"
node = "box-a"
state_directory = "{folder}/state"
operators = []
"""
SIGNING = """
[signing]
network = "regtest"
owners = ["{key}"]
owners_needed = 1
checkpoint_height = 0
checkpoint_hash = "{key}"
{more}
[signing.token]
module = "{place.module}"
label = "{place.label}"
serial = "{place.serial}"
pin = "{folder}/pin"
"""


class Box:
    def __init__(self, folder: Path, place: TokenAddress) -> None:
        self.folder = folder
        self.place = place
        self.config = folder / "signer.toml"
        (folder / "state").mkdir(mode=0o700)
        self.pin(PIN)
        self.write()

    def pin(self, value: str) -> None:
        (self.folder / "pin").write_text(value)
        (self.folder / "pin").chmod(0o600)

    def write(self, wrap_key: str = "", keys: str = "") -> None:
        signing = SIGNING.format(folder=self.folder, place=self.place, key="ab" * 32, more=wrap_key)
        self.config.write_text(SETTINGS.format(folder=self.folder) + signing + keys)

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(self.config)])


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with SoftHsm(tmp_path / "hsm") as hsm:
        yield Box(tmp_path, hsm.add_token())


def test_identity_is_made_once_and_told_again(box):
    first = box.says("identity")
    assert re.fullmatch("[0-9a-f]{16} [0-9a-f]{64}\n", first.stdout)
    assert box.says("identity").stdout == first.stdout
    assert (box.folder / "state" / "node.key").stat().st_mode & 0o777 == 0o600


def test_the_lines_of_new_keys_pin_what_is_in_the_token(box):
    made = box.says("new-keys", "--count", "2")
    assert made.exit_code == 0, made.output
    box.write(keys=made.stdout)
    signing = SignerSettings.load(box.config).signing
    assert signing is not None
    with Token(box.place, Pin(PIN)) as token:
        in_token = {(key.key_id, key.public_key.hex()) for key in HsmKeys(token).all_in_token()}
    assert {(key.id, key.public_key) for key in signing.keys} == in_token
    assert len(in_token) == 2


def test_a_taproot_key_needs_the_wrapping_key_first(box):
    refused = box.says("new-taproot-key")
    assert refused.exit_code == 1
    assert "new-wrap-key" in refused.output
    box.write(wrap_key=box.says("new-wrap-key").stdout)
    made = box.says("new-taproot-key")
    assert re.fullmatch("0[23][0-9a-f]{64}\n", made.stdout), made.output
    assert len(list((box.folder / "state" / "keys").iterdir())) == 1


def test_a_wrong_pin_is_named_and_not_shown(box):
    box.pin("000000")
    refused = box.says("new-keys")
    assert refused.exit_code == 1
    assert "refused the PIN" in refused.output
    assert "000000" not in refused.output


def test_a_file_without_a_token_is_named(box):
    box.config.write_text(SETTINGS.format(folder=box.folder))
    refused = box.says("new-wrap-key")
    assert refused.exit_code == 1
    assert "[signing]" in refused.output


def test_a_key_book_is_checked_without_the_token_and_by_the_boxs_key_only(box):
    box.write(keys=box.says("new-keys", "--count", "2").stdout)
    _, public_key = box.says("identity").stdout.split()
    file = box.folder / "keys.book"
    assert box.says("key-book", str(file)).exit_code == 0
    checked = CliRunner().invoke(app, ["check-key-book", str(file), public_key])
    signing = SignerSettings.load(box.config).signing
    assert signing is not None
    assert checked.stdout.splitlines() == [f"{key.id} {key.public_key}" for key in signing.keys]
    assert CliRunner().invoke(app, ["check-key-book", str(file), "ab" * 32]).exit_code == 1
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert CliRunner().invoke(app, ["check-key-book", str(file), public_key]).exit_code == 1


def test_a_key_that_the_token_does_not_hold_is_not_written_down(box):
    box.write(keys=f'[[signing.keys]]\nid = "a1"\npublic_key = "02{"ab" * 32}"\n')
    refused = box.says("key-book", str(box.folder / "keys.book"))
    assert refused.exit_code == 1
    assert not (box.folder / "keys.book").exists()
