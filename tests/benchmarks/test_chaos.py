"""The whole site is really killed and nothing is lost; a small run, whose figures are promises all the same."""

import pytest
from typer.testing import CliRunner

from benchmarks import chaos
from benchmarks.cli import measured
from benchmarks.options import Options
from shared.errors import SettingInvalid


@pytest.mark.broker
@pytest.mark.slow
def test_a_few_kills_lose_and_double_nothing():
    values = {"kills": "2", "seed": "8", "miners": "8", "settle_s": "0", "order_s": "0.2"}
    result = measured("chaos", Options(quick=True, values=values))
    assert (result["name"], result["kills"]) == ("chaos", 2)
    assert sum(result["kills_by_victim"].values()) == 2
    assert result["accepted"] > 20
    assert (result["lost"], result["duplicates"], result["doubled_commands"]) == (0, 0, 0)
    assert result["commands"]["unissued"] == 0
    assert result["audit"] is True
    assert result["sound"] is True
    assert result["conditions"]["seed"] == 8


def test_files_of_an_older_run_are_never_mixed_with_new_ones(tmp_path):
    result = CliRunner().invoke(chaos.app, ["--folder", str(tmp_path)])
    assert isinstance(result.exception, SettingInvalid)
    assert "exists already" in str(result.exception)
