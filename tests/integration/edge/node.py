"""The agent as it stands, in this process where a test looks inside, or as `bes agent` where it is killed."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.settings import SiteSettings
from agent.site.devices.image import MinerState, ProcessImage
from agent.site_app import SiteApp
from shared.mqtt import MqttSettings
from tests.integration.edge.desk import NODE, SITE, Desk, eventually
from tests.integration.edge.simulators import PASSWORD, Simulators

LOGINS = {
    "antminer-stock": {"user": "root", "password": "root"},
    "whatsminer-v2": {"user": "admin", "password": PASSWORD},
    "raritan.xerus": {"user": "admin", "password": "raritan"},
}
BRISK = {"hot_s": 0.3, "warm_s": 1.0, "full_every_s": 5.0}
DISCOVERY = {"sweep_every_s": 2.0, "second_opinion": False}


def settings_of(folder: Path, sims: Simulators, desk: Desk, mqtt: MqttSettings, **changes: object) -> dict[str, object]:
    """What stands in the agent's file."""
    return {
        "site": SITE,
        "node": NODE,
        "state_directory": folder / "agent",
        "site_file": sims.site_file,
        "operators": (desk.operator.verify_key.encode().hex(),),
        "approvers": (desk.approver.verify_key.encode().hex(),),
        "mqtt": mqtt,
        "logins": LOGINS,
        "ports": sims.ports,
        "polling": BRISK,
        "discovery": DISCOVERY,
        "cycle_s": 0.25,
    } | changes


class LiveAgent:
    """A `SiteApp` that runs in this loop."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.app = SiteApp(SiteSettings(**settings))
        self._running: asyncio.Task[None] | None = None

    async def start(self, miners: int, *, complete: bool = True, within_s: float = 60.0) -> None:
        """Returns when so many miners have been read and, for `complete`, every instrument of the site's file."""
        self._running = asyncio.create_task(self.app.run())
        site = self.app.site

        def found() -> bool:
            assert self._running is not None
            assert not self._running.done(), self._running
            image = self.image
            read = [state for state in image.miners.values() if state.reading is not None]
            instruments = len(image.meters) == len(site.meter) and len(image.pdus) == len(site.pdu)
            return len(read) >= miners and (instruments or not complete)

        await eventually(found, within_s, "all devices found and read")

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    @property
    def image(self) -> ProcessImage:
        return self.app.cycle.image

    def miner(self, device_id: str) -> MinerState:
        return self.image.miners[device_id]

    def confirm_within(self, device_id: str, seconds: float) -> None:
        """The profile allows minutes; a test of what is never confirmed cannot wait for them."""
        known = self.app.roster.commandable(device_id)
        assert known is not None
        known.record = msgspec.structs.replace(
            known.record, confirm_within_s=dict.fromkeys(known.record.verbs, seconds)
        )


def write_config(path: Path, settings: Mapping[str, object]) -> None:
    """The same settings as a TOML file for `bes agent`."""
    lines: list[str] = []
    tables: list[str] = []
    for key, value in settings.items():
        if isinstance(value, MqttSettings):
            value = {"host": value.host, "port": value.port, "backoff_first_s": 0.05, "backoff_max_s": 0.2}
        if isinstance(value, dict):
            tables += _table(key, value)
        else:
            lines.append(f"{key} = {_scalar(value)}")
    path.write_text("\n".join([*lines, *tables]) + "\n", encoding="utf-8")


def _table(name: str, values: Mapping[object, object]) -> list[str]:
    lines = [f"[{name}]"]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _table(f"{name}.{json.dumps(key)}", value)
        else:
            lines.append(f"{key} = {_scalar(value)}")
    return lines


def _scalar(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value)
