"""The whole product before a simulated site: broker, agent and controller, with a person signed in at the API."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.process import Child, bes, core_pair
from benchmarks.scene import written_scene
from benchmarks.simulated_site import SimulatedSite, simulated_site
from hardware_sims.broker import Mosquitto
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.production import sign_in
from hardware_sims.demo.scene import SITE, Scene

_FOUND_S = 240.0
_FASTER = 60.0


class Stage:
    """`api` is signed in as the administrator, `meter` is the one at the top of the site."""

    def __init__(self, scene: Scene, simulated: SimulatedSite, api: JsonClient) -> None:
        self.simulated = simulated
        self.api = api
        self.meter = next(feeder.meter or "" for feeder in simulated.site.feeder if feeder.parent is None)
        self.journal = scene.controller_state / "journal.db"

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/sites/{SITE}/summary")
        return found

    def reporting(self, most: int, least: int, within_s: float) -> None:
        """Wait until the controller counts so many miners that report. GatewayUnavailable where it does not."""

        def counted() -> bool | None:
            summary = self.summary()
            known = summary["power_w"]["value"] is not None
            return (known and least <= summary["reporting"] <= most) or None

        wait_for(f"{least} to {most} miners report", counted, within_s)


@contextmanager
def curtail_stage(folder: Path, miners: int, *, warm_s: float) -> Iterator[Stage]:
    """`warm_s` seconds at sixty times their speed, until heat and watts stand still. Agent and controller share a core,
    so that the simulators do not take it from them.
    """
    measured, others = core_pair()
    words = ("--miners", str(miners), "--containers", str(max(miners // 250, 1)), "--site-id", SITE)
    with ExitStack() as stack:
        simulated = stack.enter_context(simulated_site(folder, *words, cores=others))
        simulated.hurry(_FASTER, warm_s)
        broker = stack.enter_context(Mosquitto())
        scene = written_scene(folder, simulated, broker.port, patient=True)
        for word, config in (("controller", scene.controller_config), ("agent", scene.agent_config)):
            process = Child(bes(word, "--config", str(config)), log=folder / f"{word}.log", cores=measured)
            stack.enter_context(process)
        api = JsonClient(scene.web_port, "/api/v1")
        sign_in(api, scene)
        stage = Stage(scene, simulated, api)
        stage.reporting(miners, miners, _FOUND_S)
        yield stage
