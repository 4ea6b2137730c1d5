"""Finding profiles, and what a missing or damaged one says."""

import hashlib
from pathlib import Path

import pytest

from shared.errors import ProfileInvalid
from shared.profiles import folder, load, load_all, read
from shared.states import DeviceKind


def test_every_profile_in_the_repository_is_sound() -> None:
    ids = [profile.id for profile in load_all()]
    assert (
        len(ids) == len(set(ids)) == len(list(folder().glob("meters/*.toml"))) + len(list(folder().glob("pdus/*.toml")))
    )
    assert {"eastron.sdm630", "schneider.iem3000", "abb.b23", "raritan.xerus", "shelly.gen2"} <= set(ids)


def test_the_hash_is_that_of_the_file() -> None:
    profile = load(DeviceKind.METER, "eastron.sdm630")
    raw = (folder() / "meters" / "eastron.sdm630.toml").read_bytes()
    assert profile.sha256 == hashlib.sha256(raw).hexdigest()


def test_an_unknown_id_lists_those_that_there_are() -> None:
    with pytest.raises(ProfileInvalid, match=r"eastron\.sdm360.*eastron\.sdm630"):
        load(DeviceKind.METER, "eastron.sdm360")


def test_an_id_of_another_kind_is_unknown() -> None:
    with pytest.raises(ProfileInvalid, match="no pdu profile"):
        load(DeviceKind.PDU, "eastron.sdm630")


def test_an_id_cannot_leave_the_folder() -> None:
    with pytest.raises(ProfileInvalid, match="no meter profile"):
        load(DeviceKind.METER, "../pdus/shelly.gen2")


def test_miners_are_driven_by_their_family() -> None:
    with pytest.raises(ProfileInvalid, match="family"):
        load(DeviceKind.MINER, "antminer")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProfileInvalid, match="No such file"):
        read(tmp_path / "no.toml")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * 300_000)
    with pytest.raises(ProfileInvalid, match="larger than"):
        read(huge)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileInvalid, match=r"binary\.toml"):
        read(binary)


def test_a_profile_lies_in_the_folder_of_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pdus").mkdir()
    meter = folder() / "meters" / "eastron.sdm630.toml"
    (tmp_path / "pdus" / meter.name).write_bytes(meter.read_bytes())
    monkeypatch.setattr("shared.profiles.library.folder", lambda: tmp_path)
    with pytest.raises(ProfileInvalid, match="is of kind meter"):
        load(DeviceKind.PDU, "eastron.sdm630")


def test_an_installed_package_brings_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.profiles.library.__file__", str(tmp_path / "shared" / "profiles" / "library.py"))
    assert folder() == tmp_path / "shared" / "profiles" / "data"
