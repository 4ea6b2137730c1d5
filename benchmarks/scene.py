"""The files with which the product's own processes start before a simulated site, as the demo writes them."""

from pathlib import Path

from benchmarks.simulated_site import SimulatedSite
from hardware_sims.broker import free_port
from hardware_sims.demo.scene import Scene, write, write_synthetic_prices

_NEVER_S = 86_400


def written_scene(folder: Path, simulated: SimulatedSite, broker_port: int, *, patient: bool = False) -> Scene:
    """Keys, configuration and prices below `folder`; the price stays quiet."""
    scene = Scene(
        folder=folder,
        broker_port=broker_port,
        web_port=free_port(),
        site_file=simulated.site_file,
        ports=simulated.ports,
        spike_at_s=_NEVER_S,
        spike_for_s=60,
        patient=patient,
    )
    write(scene)
    write_synthetic_prices(scene)
    return scene
