"""All processes of one demo, started in their order and stopped in the opposite one."""

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

import msgspec
import typer

from hardware_sims.broker import Mosquitto
from hardware_sims.chain.purse import Purse
from hardware_sims.demo.cast import Actor
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.scene import Scene, write, write_replayed_prices, write_synthetic_prices
from hardware_sims.demo.story import Stage
from hardware_sims.demo.treasury import (
    BOXES,
    People,
    Treasury,
    box_of,
    controller_toml,
    node_of,
    taproot_key_of,
)
from hardware_sims.layout import DEFAULT_NETWORK
from shared.crypto.keys import load_or_create

WEB_PORT = 8080
FIRST_SIGN_IN = "first-sign-in"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What to start. `network` is where the simulated devices listen: two demos need two."""

    miners: int
    containers: int = 2
    time_factor: float = 6.0
    prices: Path | None = None
    network: str = str(DEFAULT_NETWORK)
    spike_at_s: int = 60
    spike_for_s: int = 75


def produce(stack: ExitStack, folder: Path, wish: Wish) -> tuple[Stage, str]:
    """The stage and the password of `admin`; `stack` stops what was started. GatewayUnavailable: what is not up."""
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
        spike_at_s=wish.spike_at_s,
        spike_for_s=wish.spike_for_s,
        real_prices=wish.prices,
    )
    write(scene)
    treasury = _treasury(stack, scene)
    _prices(scene, wish.prices)
    controller = Actor(
        "controller", ["controller", "--config", str(scene.controller_config)], folder / "log/controller.log"
    )
    agent = Actor("agent", ["agent", "--config", str(scene.agent_config)], folder / "log/agent.log")
    for actor in (controller, agent, *(box.actor for box in treasury.boxes)):
        stack.callback(actor.stop)
        actor.start()
    api = JsonClient(scene.web_port, "/api/v1")
    password = sign_in(api, scene)
    stage = Stage(scene, api, JsonClient(sims.ready["control_port"]), controller, agent, treasury, wish.miners)
    return stage, password


def _treasury(stack: ExitStack, scene: Scene) -> Treasury:
    """Node and boxes; the node runs when it returns, the boxes do not yet. The controller is told of them."""
    node, people = node_of(stack, scene.folder), People(scene.folder / "people")
    operator_key = scene.controller_state / "command.key"
    operator = load_or_create(operator_key).verify_key.encode().hex()
    boxes = tuple(box_of(scene.folder, name, scene.broker_port, operator, people) for name in BOXES)
    taproot_keys = tuple(taproot_key_of(scene.folder, box) for box in boxes)
    with scene.controller_config.open("a", encoding="utf-8") as config:
        config.write(controller_toml(node, boxes))
    return Treasury(node, boxes, people, Purse(), scene.broker_port, operator_key, taproot_keys)


def _sims(wish: Wish, folder: Path, site_file: Path) -> Actor:
    arguments = [
        "sims",
        f"--miners={wish.miners}",
        f"--containers={wish.containers}",
        f"--time-factor={wish.time_factor}",
        f"--network={wish.network}",
        f"--site-file={site_file}",
        "--password=whatsminer=operator",
    ]
    return Actor("sims", arguments, folder / "log/sims.log", answers=True)


def _prices(scene: Scene, source: Path | None) -> None:
    if source is None:
        write_synthetic_prices(scene)
        typer.echo("prices   synthetic: a quiet series with one spike")
    else:
        low, high = write_replayed_prices(scene, source)
        typer.echo(f"prices   {source}: {low:.2f} to {high:.2f} USD/MWh, an hour in {scene.spike_for_s} s")


def sign_in(api: JsonClient, scene: Scene) -> str:
    """Use the one-time password that the controller has left, and replace it."""
    file = scene.controller_state / FIRST_SIGN_IN
    once = wait_for("the controller starts", lambda: file.read_text().strip() if file.exists() else None, 60)
    password = f"demo-{secrets.token_hex(4)}"
    wait_for("sign in", lambda: api.post("/session", {"name": "admin", "password": once}), 30)
    api.ask("PUT", "/session/password", {"current": once, "new": password})
    return password


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
