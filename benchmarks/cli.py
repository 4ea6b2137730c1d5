"""`bes bench NAME`: run one benchmark, or all; the last line is one JSON object."""

import importlib
import time
from collections.abc import Collection
from typing import Annotated, Protocol, cast

import msgspec
import typer

from benchmarks.conditions import conditions
from benchmarks.options import Options, parse_values
from shared import log
from shared.errors import SettingInvalid

NAMES = ("poll", "truth", "curtail", "ingest", "dispatch", "contracts", "box", "forward", "chaos", "signing-kills")
"""Each is a module of this package; imported when it is asked for, because each needs other extras."""


class Benchmark(Protocol):
    NAME: str
    SETTINGS: Collection[str]
    """What `--set` may change."""

    def run(self, options: Options) -> dict[str, object]:
        """Measure and return figures; what the figures were measured on is under `conditions`."""
        ...


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(NAMES)}, or all")],
    quick: Annotated[bool, typer.Option("--quick", help="a smoke run: small and short, its figures prove nothing")] = (
        False
    ),
    values: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, repeatable")] = None,
) -> None:
    """Measure, and print one JSON object a benchmark."""
    log.configure(level="warning")
    if name != "all" and name not in NAMES:
        raise SettingInvalid(f"there is no benchmark {name!r}; choose from {', '.join(NAMES)}, or all")
    wanted = NAMES if name == "all" else (name,)
    options = Options(quick=quick, values=parse_values(values or []))
    options.check(key for one in wanted for key in _module(one).SETTINGS)
    for one in wanted:
        result = measured(one, options.only(_module(one).SETTINGS))
        typer.echo(msgspec.json.encode(result).decode())


def measured(name: str, options: Options) -> dict[str, object]:
    """The result of one benchmark with its name, the seconds it took and its conditions."""
    benchmark = _module(name)
    found = conditions(quick=options.quick, set=dict(options.values))
    typer.echo(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found.items()))
    started_s = time.monotonic()
    result = benchmark.run(options)
    own = result.pop("conditions", {})
    assert isinstance(own, dict)
    return {
        "name": benchmark.NAME,
        **result,
        "conditions": found | own | {"seconds": round(time.monotonic() - started_s, 1)},
    }


def _module(name: str) -> Benchmark:
    return cast(Benchmark, importlib.import_module(f"benchmarks.{name.replace('-', '_')}"))
