"""How fresh a thousand mixed miners are kept by one agent on one core, what that costs, and against pyasic.

Ages are those of what the agent published, looked at each second from outside; the devices that are broken on purpose
do not count, but they are polled along with the others.
"""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from nacl.signing import SigningKey

from benchmarks.agent_process import agent_process
from benchmarks.options import Options
from benchmarks.poll_load import FULL, HOT, PYASIC, LoadOrder, LoadResult, family_of
from benchmarks.process import Child, core_pair
from benchmarks.simulated_site import SimulatedSite, simulated_site
from benchmarks.sink import Body, Sink
from hardware_sims.broker import Mosquitto
from shared.clock import SystemClock
from shared.errors import GatewayUnavailable
from shared.mqtt import MqttSettings
from shared.site import miner_id
from shared.states import Reach
from shared.wire.telemetry import TelemetryBatch

NAME = "poll"
SETTINGS = ("miners", "period_s", "seconds", "pyasic_miners", "load_miners", "load_seconds")
FAMILIES = ("antminer-stock", "whatsminer-v2", "axeos")
BROKEN: tuple[tuple[str, float], ...] = (("dead", 0.02), ("silent", 0.01), ("truncated", 0.01), ("endless", 0.003))
"""Share of the fleet that is broken in each way."""
STRANGE_FROM_THE_START = 2  # send garbage already when the agent looks for devices, so that pyasic is asked
_DISCOVERY_S = 180.0


class Ages:
    """The newest good sample of each miner, as published; filled by the sink's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest_ms: dict[str, int] = {}
        self.samples = 0
        self.cycle_ms: list[float] = []
        self.lag_ms: list[float] = []

    def received(self, body: Body, _at_ms: int) -> None:
        if not isinstance(body, TelemetryBatch):
            return
        table = body.miners
        with self._lock:
            self.samples += len(table.device_id)
            for device_id, at_ms, reach in zip(table.device_id, table.observed_at_ms, table.reach, strict=True):
                if reach == Reach.UP and at_ms > self._newest_ms.get(device_id, 0):
                    self._newest_ms[device_id] = at_ms
            if body.host is not None:
                self.cycle_ms.append(body.host.cycle_ms)
                self.lag_ms.append(body.host.loop_lag_ms)

    def known(self) -> set[str]:
        with self._lock:
            return set(self._newest_ms)

    def now_s(self, device_ids: Sequence[str]) -> list[float]:
        now_ms = SystemClock().now_ms()
        with self._lock:
            return [(now_ms - self._newest_ms[name]) / 1000 for name in device_ids]


def run(options: Options) -> dict[str, object]:
    """Keys `p99_age_s rss_mb polls_per_s pyasic_polls_per_s`; rates are polls of all values in a second of CPU."""
    miners = options.number("miners", 1000, 40, least=1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bes-poll-")))
        measured, others = core_pair()
        words = ("--miners", str(miners), "--containers", str(max(miners // 250, 1)))
        simulated = stack.enter_context(simulated_site(folder, *words, cores=others))
        freshness = _freshness(options, folder, simulated, measured)
        simulated.mend()
        rates = _rates(options, folder, simulated, measured)
    conditions = {
        "miners": miners,
        "period_s": _period_s(options),
        "measured_on_core": measured,
        "broken": {kind: _broken(share, miners) for kind, share in BROKEN} | {"garbage": STRANGE_FROM_THE_START},
        "sampling": "once a second at a random moment, what the agent has published, broken devices left out",
    }
    return freshness | rates | {"conditions": conditions}


def _freshness(options: Options, folder: Path, simulated: SimulatedSite, cores: list[int]) -> dict[str, object]:
    operator, ages = SigningKey.generate(), Ages()
    names = [miner_id(placed.mac) for placed in simulated.site.placement]
    random.Random(1).shuffle(names)
    strange, names = names[:STRANGE_FROM_THE_START], names[STRANGE_FROM_THE_START:]
    for name in strange:
        simulated.break_device(name, "garbage")
    with (
        Mosquitto() as broker,
        Sink(MqttSettings(port=broker.port), operator, ages.received),
        agent_process(
            folder, simulated, broker_port=broker.port, operator=operator, warm_s=_period_s(options), cores=cores
        ) as agent,
    ):
        started_s = time.monotonic()
        _wait_for(ages, set(names), started_s + _DISCOVERY_S)
        discovery_s = time.monotonic() - started_s
        healthy = list(names)
        for kind, share in BROKEN:
            for _ in range(_broken(share, len(names))):
                simulated.break_device(healthy.pop(), kind)
        return {"discovery_s": round(discovery_s, 1)} | _watch(options, agent, ages, healthy)


def _period_s(options: Options) -> float:
    return options.number("period_s", 5.0, 1.0)


def _broken(share: float, miners: int) -> int:
    return max(round(share * miners), 1)


def _wait_for(ages: Ages, names: set[str], until_s: float) -> None:
    while missing := names - ages.known():
        if time.monotonic() > until_s:
            raise GatewayUnavailable(f"the agent has not read {len(missing)} of {len(names)} miners in time")
        time.sleep(0.2)


def _watch(options: Options, agent: Child, ages: Ages, healthy: list[str]) -> dict[str, object]:
    """Look each second; the CPU share is that of the agent process over the watch."""
    seconds = options.number("seconds", 75, 3)
    seen: list[float] = []
    randomness = random.Random(2)
    rss_mb, worker_mb = 0.0, 0.0
    samples, cpu_s, started_s = ages.samples, agent.cpu_s(), time.monotonic()
    for second in range(1, seconds + 1):
        # At a random moment of the second, or the phase against the agent's own cycle would decide.
        time.sleep(max(started_s + second - randomness.random() - time.monotonic(), 0))
        seen += ages.now_s(healthy)
        rss_mb, worker_mb = max(rss_mb, agent.rss_mb()), max(worker_mb, agent.children_rss_mb())
    passed_s = time.monotonic() - started_s
    p50, p99, worst = (round(float(np.percentile(seen, share)), 2) for share in (50, 99, 100))
    return {
        "p99_age_s": p99,
        "p50_age_s": p50,
        "max_age_s": worst,
        "rss_mb": round(rss_mb, 1),
        "pyasic_worker_rss_mb": round(worker_mb, 1),
        "agent_cpu_pct": round((agent.cpu_s() - cpu_s) / passed_s * 100, 1),
        "samples_per_s": round((ages.samples - samples) / passed_s, 1),
        "cycle_ms_max": round(max(ages.cycle_ms, default=0.0), 1),
        "loop_lag_ms_max": round(max(ages.lag_ms, default=0.0), 1),
        "healthy": len(healthy),
        "watched_s": round(passed_s, 1),
    }


def _rates(options: Options, folder: Path, simulated: SimulatedSite, cores: list[int]) -> dict[str, object]:
    """Saturated, one reader at a time; the headline is a full poll of the whole mix, which is what get_data reads."""
    results = {
        (reader, family): _load(options, folder, simulated, cores, reader, family)
        for reader, family in _loads(options, simulated)
    }
    split = {
        reader: {family: _rate(results.get((reader, family))) for family in ("all", *FAMILIES)}
        for reader in (HOT, FULL, PYASIC)
    }
    ours, theirs = split[FULL]["all"], split[PYASIC]["all"]
    return {
        "polls_per_s": ours,
        "pyasic_polls_per_s": theirs,
        "times_pyasic": round(ours / theirs, 1) if ours and theirs else None,
        "hot_polls_per_s": split[HOT]["all"],
        "polls_per_cpu_s": split,
        "polls_per_wall_s": {
            reader: round(result.polls / result.wall_s, 1)
            for (reader, kind), result in results.items()
            if kind == "all"
        },
        "failed_polls": sum(result.failures for result in results.values()),
    }


def _loads(options: Options, simulated: SimulatedSite) -> Iterator[tuple[str, str]]:
    """Readers by family, the whole mix first; where devices are not on their standard ports, without pyasic."""
    standard_ports = all(standard == used for standard, used in simulated.ports.items())
    present = {family_of(placed) for placed in simulated.site.placement}
    for reader in (HOT, FULL, PYASIC) if standard_ports else (HOT, FULL):
        yield reader, "all"
        for family in () if options.quick else FAMILIES:
            if family in present:
                yield reader, family


def _load(
    options: Options, folder: Path, simulated: SimulatedSite, cores: list[int], reader: str, family: str
) -> LoadResult:
    order = LoadOrder(
        site_file=str(simulated.site_file),
        ports=simulated.ports,
        reader=reader,
        families=() if family == "all" else (family,),
        miners=options.number("pyasic_miners", 60, 6) if reader == PYASIC else options.number("load_miners", 400, 20),
        seconds=options.number("load_seconds", 5.0, 0.3),
    )
    words = ["-m", "benchmarks.poll_load", msgspec.json.encode(order).decode()]
    with Child(words, log=folder / "load.log", cores=cores) as child:
        return msgspec.json.decode(child.line(), type=LoadResult)


def _rate(result: LoadResult | None) -> float | None:
    return None if result is None else round(result.per_cpu_s, 1)
