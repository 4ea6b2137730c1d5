"""Everything that the processes of a demo find when they start: keys, configuration, prices."""

import csv
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from shared.crypto.keys import load_or_create
from shared.errors import SettingInvalid
from shared.price_file import read_prices

SITE = "demo"
NODE = "demo-agent"
QUIET_USD_MWH = 38.0
SPIKE_USD_MWH = 950.0
STEP_S = 15
MARKER = "made-by-bes-demo"
_HASTE = """
# A demo has no quarter of an hour to leave a machine alone after each change.
[dispatch]
confirm_s = 120.0
dwell_s = 15.0
disobeyed_s = 30.0
"""


class Scene(msgspec.Struct, frozen=True):
    """Folders and ports of one demo. `spike_at_s` and `spike_for_s` count from when the prices were written. With
    `patient` the controller waits as long as it does by default, instead of as long as a demo has time for.
    """

    folder: Path
    broker_port: int
    web_port: int
    site_file: Path
    ports: dict[int, int]
    spike_at_s: int
    spike_for_s: int
    real_prices: Path | None = None
    patient: bool = False

    @property
    def prices(self) -> Path:
        return self.folder / "prices.csv"

    @property
    def agent_config(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def controller_config(self) -> Path:
        return self.folder / "controller.toml"

    @property
    def controller_state(self) -> Path:
        return self.folder / "controller"


def cleared(folder: Path) -> Path:
    """An empty folder for a demo. What no demo has made is never emptied: SettingInvalid."""
    marker = folder / MARKER
    if folder.exists() and not marker.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingInvalid(f"{folder} is not a folder of an earlier demo; name a new or an empty one with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.write_text("What lies here was made by `bes demo`, and is deleted when it starts again.\n", encoding="utf-8")
    return folder.resolve()


def write(scene: Scene) -> None:
    """The controller's keys are made here, so that the agent can be told whom to obey before the controller starts."""
    operator = load_or_create(scene.controller_state / "command.key").verify_key.encode().hex()
    approver = load_or_create(scene.controller_state / "approval.key").verify_key.encode().hex()
    scene.agent_config.write_text(_agent_toml(scene, operator, approver), encoding="utf-8")
    scene.controller_config.write_text(_controller_toml(scene), encoding="utf-8")


def write_synthetic_prices(scene: Scene) -> None:
    """A quiet price, one spike, and quiet again for a day."""
    start = time.time()
    rows = [(start - 3600, QUIET_USD_MWH)]
    rows.append((start + scene.spike_at_s, SPIKE_USD_MWH))
    rows.append((start + scene.spike_at_s + scene.spike_for_s, QUIET_USD_MWH))
    rows.append((start + 86_400, QUIET_USD_MWH))
    _write_prices(scene.prices, _stepwise(rows))


def write_replayed_prices(scene: Scene, source: Path) -> tuple[float, float]:
    """A real hourly series, an hour of it in each `spike_for_s`, its dearest hour at the spike; (lowest, dearest)."""
    series = [usd_mwh for _, usd_mwh in read_prices(source, "UTC")]
    dearest = max(range(len(series)), key=series.__getitem__)
    start = time.time() + scene.spike_at_s - dearest * scene.spike_for_s
    rows = [(start + hour * scene.spike_for_s, price) for hour, price in enumerate(series)]
    now = time.time() - 3600
    _write_prices(scene.prices, _stepwise([row for row in rows if row[0] >= now][: 86_400 // scene.spike_for_s]))
    return min(series), series[dearest]


def _stepwise(rows: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same steps on a grid of `STEP_S`, because a price is told for equal intervals."""
    first, last = rows[0][0], rows[-1][0]
    grid = [first + index * STEP_S for index in range(int((last - first) // STEP_S))]
    prices, current = [], 0
    for at in grid:
        while current + 1 < len(rows) and rows[current + 1][0] <= at:
            current += 1
        prices.append((at, rows[current][1]))
    return prices


def _write_prices(path: Path, rows: list[tuple[float, float]]) -> None:
    start = datetime.fromtimestamp(rows[0][0], UTC).replace(microsecond=0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "price_usd_mwh"])
        for index, (_, price) in enumerate(rows):
            writer.writerow([(start + timedelta(seconds=index * STEP_S)).isoformat(), price])


def _agent_toml(scene: Scene, operator: str, approver: str) -> str:
    ports = "\n".join(f"{standard} = {port}" for standard, port in scene.ports.items())
    return f"""\
site = "{SITE}"
node = "{NODE}"
state_directory = {json.dumps(str(scene.folder / "agent"))}
site_file = {json.dumps(str(scene.site_file))}
operators = ["{operator}"]
approvers = ["{approver}"]

[mqtt]
host = "127.0.0.1"
port = {scene.broker_port}
backoff_max_s = 2.0

[ports]
{ports}

# The vendors' default logins, as the simulated machines have them.
[logins.antminer-stock]
user = "root"
password = "root"

[logins.whatsminer-v2]
user = "admin"
password = "operator"

[logins."raritan.xerus"]
user = "admin"
password = "raritan"
"""


def _controller_toml(scene: Scene) -> str:
    return f"""\
state_directory = {json.dumps(str(scene.controller_state))}
sites = ["{SITE}"]

[mqtt]
host = "127.0.0.1"
port = {scene.broker_port}
backoff_max_s = 2.0

[web]
port = {scene.web_port}

[prices]
file = {json.dumps(str(scene.prices))}
synthetic = {json.dumps(scene.real_prices is None)}
hashprice_usd_phs_day = 45.0
{"" if scene.patient else _HASTE}"""
