"""`bes demo`: a site, a broker, an agent and a controller on this machine, until Ctrl C; `--check` tells and checks."""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hardware_sims.demo.production import Wish, produce
from hardware_sims.demo.scene import NODE, cleared
from hardware_sims.demo.story import Stage, Step, play
from hardware_sims.layout import DEFAULT_NETWORK

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="tell the whole story headless; exit 1 where a step fails")
    ] = False,
    prices: Annotated[Path | None, typer.Option(help="hourly CSV to replay instead of the invented series")] = None,
    miners: Annotated[int, typer.Option(min=20)] = 200,
    containers: Annotated[int, typer.Option(min=1)] = 2,
    time_factor: Annotated[float, typer.Option(help="simulated seconds a real second")] = 6.0,
    network: Annotated[str, typer.Option(help="loopback addresses that the devices take")] = str(DEFAULT_NETWORK),
    folder: Annotated[Path, typer.Option(help="state and logs; emptied at the start")] = Path("var/demo"),
) -> None:
    """Start everything, print the console's address, and play."""
    wish = Wish(miners=miners, containers=containers, time_factor=time_factor, prices=prices, network=network)
    folder = cleared(folder)
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        stage, password = produce(stack, folder, wish)
        typer.echo(f"console  http://localhost:{stage.scene.web_port}/console   user admin   password {password}")
        typer.echo(f"logs     {folder}/log")
        failed = _tell(stage)
        if check:
            raise typer.Exit(failed)
        typer.echo("The site runs on; Ctrl C ends it.")
        signal.pause()


def _leave(number: int, _frame: object) -> None:
    """End as Ctrl C does, so that what was started is stopped."""
    raise SystemExit(128 + number)


def _tell(stage: Stage) -> int:
    """Print each step as it ends; 1 where one failed."""
    typer.echo(f"story    {stage.miners} miners, agent {NODE}")
    for step in play(stage):
        typer.echo(_line(step))
        if not step.ok:
            return 1
    return 0


def _line(step: Step) -> str:
    return f"{'ok  ' if step.ok else 'FAIL'}     {step.name:<28} {step.seconds:6.1f} s   {step.figures}"
