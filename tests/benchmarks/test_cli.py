"""What a person may type after `bes bench`, and what goes wrong when it is something else."""

import sys

import pytest
from typer.testing import CliRunner

from benchmarks import cli
from benchmarks.options import Options, parse_values
from shared.errors import SettingInvalid


class Fake:
    NAME = "poll"

    @staticmethod
    def run(options: Options) -> dict[str, object]:
        return {"figure": options.number("miners", 1_000, 10), "conditions": {"miners": 3}}


def test_the_last_line_is_one_json_object_with_conditions(monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmarks.poll", Fake)
    result = CliRunner().invoke(cli.app, ["poll", "--quick", "--set", "miners=7"])
    last = cli.msgspec.json.decode(result.stdout.splitlines()[-1])
    assert (last["name"], last["figure"]) == ("poll", 7)
    assert last["conditions"]["quick"] is True
    assert last["conditions"]["miners"] == 3


def test_figures_follow_the_form_unless_they_are_set():
    assert Options().number("seconds", 60.0, 2.0) == 60.0
    assert Options(quick=True).number("seconds", 60.0, 2.0) == 2.0
    assert Options(quick=True, values={"seconds": "5"}).number("seconds", 60.0, 2.0) == 5.0
    assert Options(values={"mode": "x"}).word("mode", "y") == "x"


def test_a_figure_that_is_no_number_is_named():
    with pytest.raises(SettingInvalid, match="seconds=soon"):
        Options(values={"seconds": "soon"}).number("seconds", 60.0, 2.0)


@pytest.mark.parametrize("entry", ["miners", "=5", ""])
def test_a_value_without_key_or_sign_is_refused(entry):
    with pytest.raises(SettingInvalid, match="KEY=VALUE"):
        parse_values([entry])


def test_an_unknown_benchmark_is_refused_with_those_that_exist():
    result = CliRunner().invoke(cli.app, ["speed"])
    assert isinstance(result.exception, SettingInvalid)
    assert "poll" in str(result.exception)
