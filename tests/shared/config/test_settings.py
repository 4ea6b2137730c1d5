from pathlib import Path

import pytest

from agent.settings import NodeSettings, SiteSettings
from controller.settings import ControllerSettings
from shared.config.settings import state_folder
from shared.errors import SettingInvalid, SettingMissing
from shared.log import REDACTED, Redactor, redactor

KEY, OTHER = "ab" * 32, "cd" * 32
GOOD = {
    "site": '"tx1"',
    "node": '"edge-1"',
    "state_directory": '"/var/lib/bes-agent"',
    "operators": f'["{KEY}"]',
    "site_file": '"site.toml"',
}


def file_with(folder: Path, *lines: str, **changes: str) -> Path:
    path = folder / "agent.toml"
    path.write_text("\n".join([*(f"{key} = {value}" for key, value in (GOOD | changes).items()), *lines]))
    return path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingMissing, match=r"nowhere\.toml"):
        SiteSettings.load(tmp_path / "nowhere.toml")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"name a TOML file"):
        SiteSettings.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"log_level": '"loud"'}, "log_level"),
        ({"site": '"Bad Site"'}, "site"),
        ({"node": '"edge/1"'}, "node"),
        ({"approvers": f'["{OTHER}", "{KEY.upper()}"]'}, "operators and in approvers"),
        ({"colour": '"red"'}, "colour"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_place(tmp_path: Path, change: dict[str, str], place: str) -> None:
    with pytest.raises(SettingInvalid, match=place):
        SiteSettings.load(file_with(tmp_path, **change))


def test_a_controller_cannot_run_a_site_that_no_topic_can_name(tmp_path: Path) -> None:
    path = tmp_path / "controller.toml"
    path.write_text('state_directory = "/var/lib/bes"\nsites = ["TX 1"]\n')
    with pytest.raises(SettingInvalid, match="sites"):
        ControllerSettings.load(path)


def test_a_state_folder_is_private_and_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    assert state_folder(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingInvalid, match="state_directory"):
        state_folder(tmp_path / "file" / "below")


def test_secrets_of_a_file_are_hidden_in_logs_from_then_on(tmp_path: Path) -> None:
    login = '[logins.whatsminer]\nuser = "admin"\npassword = "correct horse"'
    SiteSettings.load(file_with(tmp_path, "[mqtt]", 'password = "of the broker"', login))
    told = redactor.text("sent correct horse, correct%20horse and of the broker")
    assert told == f"sent {REDACTED}, {REDACTED} and {REDACTED}"


def test_what_lies_deep_in_a_log_line_is_hidden_too() -> None:
    own = Redactor()
    own.learn("correct horse")
    line = own(None, "info", {"event": "x", "reply": {"a": ["the correct horse"], "token": "t"}, "count": 3})
    assert line == {"event": "x", "reply": {"a": [f"the {REDACTED}"], "token": REDACTED}, "count": 3}


def test_short_secrets_do_not_blank_ordinary_words() -> None:
    own = Redactor()
    own.learn("root")
    assert own.text("/root") == "/root"


def test_a_signer_needs_no_site_file(tmp_path: Path) -> None:
    path = file_with(tmp_path)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "site_file" not in line))
    assert NodeSettings.load(path).node == "edge-1"
