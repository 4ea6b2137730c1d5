"""A node and the file of its site must mean the same site."""

from pathlib import Path

import pytest

from agent.settings import SiteSettings
from agent.site_file import site_of
from shared.errors import SettingInvalid


def settings(folder: Path, site: str) -> SiteSettings:
    path = folder / "site.toml"
    path.write_text('id = "tx1"\nname = ""\n[[feeder]]\nid = "main"\nkind = "site"\n')
    return SiteSettings(site=site, node="tx1-agent", state_directory=folder, operators=(), site_file=path)


def test_a_site_file_of_another_site_is_named_and_not_used(tmp_path: Path) -> None:
    assert site_of(settings(tmp_path, "tx1")).id == "tx1"
    with pytest.raises(SettingInvalid, match=r"site\.toml: describes site 'tx1', .* say site = 'tx2'"):
        site_of(settings(tmp_path, "tx2"))
