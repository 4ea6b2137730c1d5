"""What a person may type after `bes bench`, and what goes wrong when it is something else."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import cli
from benchmarks.options import Options, parse_values
from shared.errors import SettingInvalid


class Fake:
    NAME = "poll"
    SETTINGS = ("miners",)

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


@pytest.mark.parametrize("word", ["-1", "nan", "inf", "0.5"])
def test_a_figure_out_of_reason_is_named(word):
    with pytest.raises(SettingInvalid, match=f"miners={word}"):
        Options(values={"miners": word}).number("miners", 10, 1, least=1)


@pytest.mark.parametrize("sizes", ["abc", "10,,20", "0", "10;20", ""])
def test_sizes_that_are_no_numbers_are_named(sizes):
    with pytest.raises(SettingInvalid, match="sizes="):
        Options(values={"sizes": sizes}).numbers("sizes", (10, 20), (10,))
    assert Options(values={"sizes": "30,40"}).numbers("sizes", (10, 20), (10,)) == (30, 40)


@pytest.mark.parametrize("name", ["dispatch", "all"])
def test_a_value_that_sets_nothing_is_refused_before_anything_is_measured(name):
    result = CliRunner().invoke(cli.app, [name, "--quick", "--set", "colour=red"])
    assert isinstance(result.exception, SettingInvalid)
    assert "colour" in str(result.exception)
    assert "sizes" in str(result.exception)


@pytest.mark.parametrize("name", cli.NAMES)
def test_each_benchmark_names_what_it_reads(name):
    module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
    source = Path(str(module.__file__)).read_text()
    assert set(re.findall(r'options\.(?:numbers?|word)\(\s*"(\w+)"', source)) == set(module.SETTINGS)


@pytest.mark.parametrize("entry", ["miners", "=5", ""])
def test_a_value_without_key_or_sign_is_refused(entry):
    with pytest.raises(SettingInvalid, match="KEY=VALUE"):
        parse_values([entry])


def test_an_unknown_benchmark_is_refused_with_those_that_exist():
    result = CliRunner().invoke(cli.app, ["speed"])
    assert isinstance(result.exception, SettingInvalid)
    assert "poll" in str(result.exception)
