"""A whole site on this machine, whose agent, controller and broker can be killed and started again one by one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmarks.chaos_witness import FILE, install
from benchmarks.scene import written_scene
from benchmarks.simulated_site import SimulatedSite, simulated_site
from hardware_sims.broker import Mosquitto
from hardware_sims.demo.cast import Actor
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.production import sign_in
from hardware_sims.demo.scene import SITE, Scene

MIX = ("M60S=2", "M50S=1", "Antminer S21=1")
_KNOWN_SHARE = 0.95
_START_S = 90.0


class Victim(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


class Stage:
    """`api` is signed in as the administrator; paths are those of the databases at the end."""

    def __init__(self, scene: Scene, simulated: SimulatedSite, broker: Mosquitto) -> None:
        self.scene = scene
        self.simulated = simulated
        self.broker = broker
        self.agent = Actor("agent", ["agent", "--config", str(scene.agent_config)], scene.folder / "log/agent.log")
        self.controller = Actor(
            "controller", ["controller", "--config", str(scene.controller_config)], scene.folder / "log/controller.log"
        )
        self.api = JsonClient(scene.web_port, "/api/v1")

    @property
    def actors(self) -> dict[str, Actor]:
        return {"agent": self.agent, "controller": self.controller}

    @property
    def victims(self) -> dict[str, Victim]:
        return {**self.actors, "broker": self.broker}

    @property
    def spool(self) -> Path:
        return self.scene.folder / "agent/spool" / FILE

    @property
    def ledger(self) -> Path:
        return self.scene.folder / "agent/commands.db"

    @property
    def telemetry(self) -> Path:
        return self.scene.controller_state / "telemetry.db"

    @property
    def journal(self) -> Path:
        return self.scene.controller_state / "journal.db"

    def open(self, miners: int) -> None:
        """Everything runs, the witness sits in the spool, and the controller hears of the miners."""
        install(self.spool.parent)
        self.controller.start()
        sign_in(self.api, self.scene)
        self.agent.start()

        def heard() -> dict[str, Any] | None:
            summary: dict[str, Any] = self.api.get(f"/sites/{SITE}/summary")
            return summary if summary["reporting"] >= _KNOWN_SHARE * miners else None

        wait_for("the miners report", heard, _START_S)


@contextmanager
def chaos_stage(folder: Path, *, miners: int, time_factor: float, seed: int) -> Iterator[Stage]:
    """Dispatch stays automatic: programs order too, as they do on a real site."""
    words = ["--miners", str(miners), "--time-factor", str(time_factor), "--seed", str(seed), "--site-id", SITE]
    words += [word for weight in MIX for word in ("--mix", weight)]
    with ExitStack() as stack:
        simulated = stack.enter_context(simulated_site(folder, *words))
        broker = stack.enter_context(Mosquitto())
        scene = written_scene(folder, simulated, broker.port)
        stage = Stage(scene, simulated, broker)
        for actor in stage.actors.values():
            stack.callback(actor.stop)
        stage.open(miners)
        yield stage
