"""A treasury on this machine whose processes can be killed and started again: controller, boxes, broker, node."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.chaos_stage import Victim
from benchmarks.signing_kills_tap import BroadcastTap
from hardware_sims.broker import Mosquitto, free_port
from hardware_sims.chain.purse import Purse
from hardware_sims.demo.cast import Actor
from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.production import sign_in
from hardware_sims.demo.scene import Scene, write, write_synthetic_prices
from hardware_sims.demo.treasury import BOXES, OWNERS, Box, Node, People, box_of, controller_toml, taproot_key_of
from shared.crypto.keys import load_or_create

LOOK_S = 0.5
ROUND_S = 4.0
PATIENCE_S = 2.0
REPORT_S = 2.0
_NEVER_S = 86_400


class SigningStage(msgspec.Struct):
    """Everything that takes part. `taproot_keys` are by box; `tap` stands between the controller and the node."""

    folder: Path
    scene: Scene
    broker: Mosquitto
    chain: Actor
    node: Node
    tap: BroadcastTap
    boxes: tuple[Box, ...]
    taproot_keys: dict[str, str]
    people: People
    purse: Purse
    controller: Actor
    api: JsonClient

    @property
    def actors(self) -> dict[str, Actor]:
        return {"controller": self.controller, "node": self.chain, **{box.name: box.actor for box in self.boxes}}

    @property
    def victims(self) -> dict[str, Victim]:
        return {**self.actors, "broker": self.broker}

    @property
    def journal(self) -> Path:
        return self.scene.controller_state / "journal.db"

    @property
    def ledgers(self) -> Mapping[str, Path]:
        """The file of each box's ledger."""
        return {box.name: self.folder / box.name / "state/ledger.db" for box in self.boxes}


@contextmanager
def signing_stage(folder: Path) -> Iterator[SigningStage]:
    """Everything runs, and the administrator is signed in, when it is entered."""
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto())
        chain, node = _chain(stack, folder)
        tap = stack.enter_context(BroadcastTap(urlsplit(node.url).port or 0))
        scene, people = _scene(folder, broker.port), People(folder / "people")
        operator = load_or_create(scene.controller_state / "command.key").verify_key.encode().hex()
        boxes, taproot_keys = _boxes(folder, broker.port, operator, people)
        with scene.controller_config.open("a", encoding="utf-8") as config:
            config.write(controller_toml(Node(tap.url, node.cookie), boxes))
        _hurry(scene.controller_config, "[treasury]\n", f"look_s = {LOOK_S}\nround_s = {ROUND_S}\n")
        log = folder / "log/controller.log"
        controller = Actor("controller", ["controller", "--config", str(scene.controller_config)], log)
        api = JsonClient(scene.web_port, "/api/v1")
        for actor in (controller, *(box.actor for box in boxes)):
            stack.callback(actor.stop)
            actor.start()
        sign_in(api, scene)
        yield SigningStage(
            folder, scene, broker, chain, node, tap, boxes, taproot_keys, people, Purse(), controller, api
        )


def _boxes(folder: Path, broker_port: int, operator: str, people: People) -> tuple[tuple[Box, ...], dict[str, str]]:
    """Set up beside each other, with the Taproot key of each by its name. Not started."""
    for owner in OWNERS:
        people.key(owner)  # made once, before several want it

    def ready(name: str) -> tuple[Box, str]:
        box = box_of(folder, name, broker_port, operator, people)
        taproot_key = taproot_key_of(folder, box)
        haste = f"patience_s = {PATIENCE_S}\nreport_every_s = {REPORT_S}\n"
        _hurry(folder / name / "signer.toml", "[signing]\n", haste)
        return box, taproot_key

    with ThreadPoolExecutor(len(BOXES)) as pool:
        made = tuple(pool.map(ready, BOXES))
    return tuple(box for box, _ in made), {box.name: key for box, key in made}


def _chain(stack: ExitStack, folder: Path) -> tuple[Actor, Node]:
    """A node that keeps its blocks, at a port that it finds again. Its waiting transactions die with it."""
    words = ["sims", "chain", f"--datadir={folder / 'chain'}", f"--port={free_port()}", "--estimate=5"]
    chain = Actor("node", words, folder / "log/node.log", answers=True)
    stack.callback(chain.stop)
    chain.start()
    return chain, Node(chain.ready["url"], Path(chain.ready["cookie_file"]))


def _scene(folder: Path, broker_port: int) -> Scene:
    """No site takes part: its file is named and never read."""
    scene = Scene(
        folder=folder,
        broker_port=broker_port,
        web_port=free_port(),
        site_file=folder / "site.toml",
        ports={},
        spike_at_s=_NEVER_S,
        spike_for_s=60,
    )
    write(scene)
    write_synthetic_prices(scene)
    return scene


def _hurry(config: Path, section: str, lines: str) -> None:
    """Shorter waits than a company would set."""
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(section, section + lines, 1), encoding="utf-8")
