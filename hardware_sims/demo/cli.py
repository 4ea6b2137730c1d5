"""`bes demo`: a site, a broker, an agent and a controller on this machine, until Ctrl C; `--check` tells and checks."""

import secrets
import shutil
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hardware_sims.broker import Mosquitto
from hardware_sims.demo.cast import Actor
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.scene import NODE, Scene, write, write_replayed_prices, write_synthetic_prices
from hardware_sims.demo.story import Stage, Step, play

WEB_PORT = 8080
FIRST_SIGN_IN = "first-sign-in"

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
    folder: Annotated[Path, typer.Option(help="state and logs; emptied at the start")] = Path("var/demo"),
) -> None:
    """Start everything, print the console's address, and play."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder = folder.resolve()
    with ExitStack() as stack:
        stage, password = _set_up(stack, folder, _Wish(miners, containers, time_factor, prices, check))
        typer.echo(f"console  http://localhost:{stage.scene.web_port}/console   user admin   password {password}")
        typer.echo(f"logs     {folder}/log")
        failed = _tell(stage)
        if check:
            raise typer.Exit(failed)
        typer.echo("The site runs on; Ctrl C ends it.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


class _Wish:
    def __init__(self, miners: int, containers: int, time_factor: float, prices: Path | None, check: bool) -> None:
        self.miners = miners
        self.containers = containers
        self.time_factor = time_factor
        self.prices = prices
        self.check = check


def _set_up(stack: ExitStack, folder: Path, wish: _Wish) -> tuple[Stage, str]:
    site_file = folder / "site.toml"
    sims = _sims(wish, folder, site_file)
    stack.callback(sims.stop)
    sims.start()
    broker = stack.enter_context(Mosquitto())
    scene = Scene(
        folder=folder,
        broker_port=broker.port,
        web_port=_web_port(),
        site_file=site_file,
        ports={int(standard): port for standard, port in sims.ready["ports"].items()},
        spike_at_s=60,
        spike_for_s=75,
        real_prices=wish.prices,
    )
    write(scene)
    if wish.prices is None:
        write_synthetic_prices(scene)
        typer.echo("prices   synthetic: a quiet series with one spike")
    else:
        low, high = write_replayed_prices(scene, wish.prices)
        typer.echo(f"prices   {wish.prices}: {low:.2f} to {high:.2f} USD/MWh, an hour in {scene.spike_for_s} s")
    controller = Actor(
        "controller", ["controller", "--config", str(scene.controller_config)], folder / "log/controller.log"
    )
    agent = Actor("agent", ["agent", "--config", str(scene.agent_config)], folder / "log/agent.log")
    for actor in (controller, agent):
        stack.callback(actor.stop)
        actor.start()
    api = JsonClient(scene.web_port, "/api/v1")
    password = _sign_in(api, scene)
    stage = Stage(scene, api, JsonClient(sims.ready["control_port"]), controller, agent, wish.miners)
    return stage, password


def _sims(wish: _Wish, folder: Path, site_file: Path) -> Actor:
    arguments = [
        "sims",
        f"--miners={wish.miners}",
        f"--containers={wish.containers}",
        f"--time-factor={wish.time_factor}",
        f"--site-file={site_file}",
        "--password=whatsminer=operator",
    ]
    return Actor("sims", arguments, folder / "log/sims.log", answers=True)


def _sign_in(api: JsonClient, scene: Scene) -> str:
    """Use the one-time password that the controller has left, and replace it."""
    file = scene.controller_state / FIRST_SIGN_IN
    once = wait_for("the controller starts", lambda: file.read_text().strip() if file.exists() else None, 60)
    password = f"demo-{secrets.token_hex(4)}"
    wait_for("sign in", lambda: api.post("/session", {"name": "admin", "password": once}), 30)
    api.ask("PUT", "/session/password", {"current": once, "new": password})
    return password


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


def _web_port() -> int:
    """The usual port where it is free, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", WEB_PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
