"""The doctor calls ill what the agent would refuse, and looks where a person would look next."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.health import lan
from agent.health.doctor import examine
from agent.health.file_mode import file_modes
from agent.health.finding import Finding, Grade
from agent.health.lan import miners
from agent.settings import SiteSettings
from agent.site_file import site_of
from shared.errors import SettingInvalid
from shared.site import Feeder, Placement, Site

SITE = """
id = "tx1"
name = "T"
ranges = {ranges}
[[feeder]]
id = "f"
kind = "site"
limit_w = 1000
"""


def settings(folder: Path, ranges: str) -> SiteSettings:
    file = folder / "site.toml"
    file.write_text(SITE.format(ranges=ranges))
    return SiteSettings(site="tx1", node="n", state_directory=folder, operators=(), site_file=file)


def found(folder: Path, ranges: str, check: str) -> Finding:
    return next(finding for finding in examine(settings(folder, ranges)) if finding.check == check)


@pytest.mark.parametrize("ranges", ['["nonsense"]', '["10.0.0.0/8"]'])
def test_ranges_that_the_agent_would_refuse_are_bad_here_too(tmp_path, ranges):
    finding = found(tmp_path, ranges, "site file")
    assert finding.grade is Grade.BAD
    assert "range" in finding.found
    with pytest.raises(SettingInvalid, match="range"):
        site_of(settings(tmp_path, ranges))


def test_a_sound_file_is_good(tmp_path):
    assert found(tmp_path, '["127.0.0.1/32"]', "site file").grade is Grade.GOOD


def test_open_files_are_named_and_a_closed_folder_closes_them_all(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "commands.db").touch()
    (folder / "commands.db").chmod(0o644)
    finding = file_modes(folder)
    assert finding.grade is Grade.WEAK
    assert str(folder) in finding.found
    assert "1 more" in finding.found
    folder.chmod(0o700)
    assert file_modes(folder).grade is Grade.GOOD


@pytest.fixture
def port() -> Iterator[int]:
    """One machine at 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def site(*ranges: str, placed: int = 1) -> Site:
    feeder = Feeder(id="f", kind="site", limit_w=1)
    macs = [f"02:00:00:00:00:0{number}" for number in range(placed)]
    places = tuple(Placement(mac=mac, feeder="f", container="c", rack=1, shelf=1, slot=1) for mac in macs)
    return Site(id="a", name="A", feeder=(feeder,), ranges=ranges, placement=places)


def closed(port: int) -> dict[int, int]:
    return {4028: port, 80: port}


def test_machines_that_answer_are_counted_against_the_file(port):
    whole = miners(site("127.0.0.1/32"), closed(port))
    assert (whole.grade, whole.found) == (Grade.GOOD, "127.0.0.1/32: 1 answer; 1 miners in the site's file")
    assert miners(site("127.0.0.1/32", placed=2), closed(port)).grade is Grade.WEAK


def test_a_range_in_which_nobody_answers_is_told(port):
    half = miners(site("127.0.0.1/32", "127.0.0.64/31"), closed(port))
    assert half.grade is Grade.WEAK
    assert "127.0.0.64/31" in half.mend


def test_a_large_range_is_looked_through_in_part(port, monkeypatch):
    monkeypatch.setattr(lan, "MOST_ADDRESSES", 1)
    assert "127.0.0.0/24: 1 answer" in miners(site("127.0.0.0/24"), closed(port)).found
