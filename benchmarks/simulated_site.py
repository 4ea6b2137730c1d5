"""A simulated site in a process of its own, and the control port through which a benchmark breaks it and sees truth."""

import http.client
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.process import Child, bes
from shared.errors import GatewayRefused, GatewayUnavailable
from shared.site import Site, load_site

_NETWORKS = tuple(IPv4Network(f"127.{second}.0.0/16") for second in range(32, 224, 2))
_MODBUS_PORT = 502
PASSWORD = "whatsminer=operator"


class SimulatedSite:
    """`ports` maps standard ports to those in use; `control` sends orders to the simulators, never to a device."""

    def __init__(self, child: Child, ready: dict[str, Any]) -> None:
        self.child = child
        self.site_file = Path(ready["site_file"])
        self.site: Site = load_site(self.site_file)
        self.ports: dict[int, int] = {int(standard): port for standard, port in ready["ports"].items()}
        self._control_port: int = ready["control_port"]

    def truth(self) -> dict[str, Any]:
        return self._asked("GET", "/truth")

    def device(self, device_id: str) -> dict[str, Any]:
        return self._asked("GET", f"/truth?device={device_id}")

    def break_device(self, device_id: str, fault: str, **detail: object) -> None:
        self._asked("POST", "/fault", {"device": device_id, "kind": fault, "detail": detail})

    def mend(self, device_id: str | None = None) -> None:
        self._asked("DELETE", "/fault", {"device": device_id})

    def power(self, device_id: str, *, on: bool) -> None:
        self._asked("POST", "/power", {"device": device_id, "on": on})

    def hurry(self, factor: float, seconds: float) -> None:
        """Let time pass `factor` times faster for that many real seconds; afterwards as fast as ours."""
        self._asked("POST", "/time", {"factor": factor})
        time.sleep(seconds)
        self._asked("POST", "/time", {"factor": 1.0})

    def _asked(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer over a connection of its own, so that threads may ask at once."""
        raw = b"" if body is None else msgspec.json.encode(body)
        connection = http.client.HTTPConnection("127.0.0.1", self._control_port, timeout=30)
        try:
            connection.request(method, path, raw)
            response = connection.getresponse()
            answer: dict[str, Any] = msgspec.json.decode(response.read())
        except (http.client.HTTPException, OSError) as error:
            raise GatewayUnavailable(f"simulators: {method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise GatewayRefused(f"simulators: {method} {path}: {answer.get('error')}")
        return answer


@contextmanager
def simulated_site(folder: Path, *arguments: str, cores: Sequence[int] = ()) -> Iterator[SimulatedSite]:
    """`bes sims` with `arguments` on a free loopback network; its files are in `folder`."""
    site_file = folder / "site.toml"
    words = ["--network", str(free_network()), "--site-file", str(site_file), "--password", PASSWORD, *arguments]
    with Child(bes("sims", *words), log=folder / "sims.log", cores=cores) as child:
        yield SimulatedSite(child, msgspec.json.decode(child.line()))


def free_network() -> IPv4Network:
    """A loopback network on which no other simulation of this machine listens."""
    for network in _NETWORKS:
        with socket.socket() as probe:
            try:
                probe.bind((str(network.network_address + 1), _MODBUS_PORT))
            except PermissionError:
                return network
            except OSError:
                continue
            return network
    raise GatewayUnavailable("every loopback network is taken; stop other simulations")
