"""`bes sims` as a process of its own, and its control port."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import msgspec

from hardware_sims.demo.client import JsonClient
from hardware_sims.site_file import write_site
from shared.site import SafetyLimits, Site, load_site

PASSWORD = "operator"  # Whatsminers refuse writes with the vendor's default
BES = (sys.executable, "-c", "import sys; from shared.cli import main; sys.exit(main())")
_networks = itertools.count()


def own_network() -> str:
    """2048 loopback addresses of this module alone; the process id spreads runs that begin at the same time."""
    slots = list(IPv4Network("127.40.0.0/13").subnets(new_prefix=21))
    for _ in slots:
        network = slots[(os.getpid() * 7 + next(_networks)) % len(slots)]
        if _is_free(network):
            return str(network)
    raise AssertionError("every loopback network is taken; stop other simulations")


def _is_free(network: IPv4Network) -> bool:
    """Where Modbus' port may not be bound, simulators listen on free ports and meet nobody."""
    with socket.socket() as probe:
        try:
            probe.bind((str(network.network_address + 1), 502))
        except PermissionError:
            return True
        except OSError:
            return False
    return True


class Simulators:
    """A simulated site that answers when the constructor returns; `truth` is what really is."""

    def __init__(self, folder: Path, miners: int, mix: dict[str, int], *options: str) -> None:
        arguments = [
            *("sims", "--miners", str(miners), "--network", own_network(), "--no-wear"),
            *("--site-file", str(folder / "site.toml"), "--site-id", "edge"),
            *("--password", f"whatsminer={PASSWORD}"),
            *(word for name, weight in mix.items() for word in ("--mix", f"{name}={weight}")),
            *options,
        ]
        log_file = folder / "sims.log"
        with log_file.open("wb") as log:
            self._process = subprocess.Popen([*BES, *arguments], stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the simulators did not come up: {log_file.read_text(encoding='utf-8')}"
        ready = json.loads(line)
        self._client = JsonClient(ready["control_port"])
        self.site_file = Path(ready["site_file"])
        self.site: Site = load_site(self.site_file)
        self.ports: dict[int, int] = {int(port): bound for port, bound in ready["ports"].items()}

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self._client.ask, method, path, body)

    async def truth(self) -> dict[str, Any]:
        return await self.ask("GET", "/truth")

    async def device(self, device_id: str) -> dict[str, Any]:
        return await self.ask("GET", f"/truth?device={device_id}")

    async def column(self, name: str) -> dict[str, Any]:
        """One column of the miners' truth by device id."""
        miners = (await self.truth())["miners"]
        return dict(zip(miners["id"], miners[name], strict=True))

    async def fault(self, device: str, kind: str, **detail: object) -> None:
        await self.ask("POST", "/fault", {"device": device, "kind": kind, "detail": detail})

    async def heal(self, device: str | None = None) -> None:
        await self.ask("DELETE", "/fault", {} if device is None else {"device": device})

    async def run_at(self, factor: float) -> None:
        await self.ask("POST", "/time", {"factor": factor})

    def miners_of(self, *models: str) -> list[str]:
        """Device ids in the order of the site's file."""
        return ["m-" + placed.mac.replace(":", "") for placed in self.site.placement if placed.model in models]

    def address_of(self, device_id: str) -> str:
        placed = next(p for p in self.site.placement if "m-" + p.mac.replace(":", "") == device_id)
        assert placed.address is not None
        return placed.address

    def changed(self, folder: Path, *, limit_w: int | None = None, **safety: Any) -> Path:
        """The site's file with other limits: of the whole site and of `safety`."""
        old = self.site.feeder
        feeders = [msgspec.structs.replace(f, limit_w=limit_w or f.limit_w) if f.id == "site" else f for f in old]
        path = folder / "changed.toml"
        write_site(path, msgspec.structs.replace(self.site, feeder=tuple(feeders), safety=SafetyLimits(**safety)))
        return path
