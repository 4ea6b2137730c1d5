"""What both roles of a node share when they start: identity, spool, trusted keys, uplink, host sample."""

import uuid
from collections.abc import Mapping
from importlib.metadata import version

import msgspec
from nacl.signing import SigningKey, VerifyKey

from agent.health.clock_quality import StepDetector, kernel_report
from agent.health.host import Host
from agent.settings import NodeSettings
from agent.spool import Spool, SpoolLimits, SpoolStats, machine_id
from agent.uplink.inbox import Handler
from agent.uplink.model import Node, UplinkSettings
from agent.uplink.service import Uplink
from shared.clock import Clock
from shared.crypto.keys import key_id, load_or_create, parse_public
from shared.states import ClockQuality
from shared.wire.telemetry import HostSample


class Gauges(msgspec.Struct, frozen=True):
    """Figures of the running program that a host sample carries."""

    loop_lag_ms: float = 0.0
    cycle_ms: float = 0.0
    devices_up: int = 0
    devices_known: int = 0


class NodeHealth:
    """Makes host samples. A stepped clock is told once, in the sample after the step."""

    def __init__(self, settings: NodeSettings, clock: Clock) -> None:
        self._host = Host(settings.state_directory)
        self._steps = StepDetector(clock)
        self._clock = clock

    def sample(self, spool: SpoolStats, gauges: Gauges) -> HostSample:
        load = self._host.load()
        report = kernel_report()
        return HostSample(
            observed_at_ms=self._clock.now_ms(),
            cpu_pct=load.cpu_pct,
            memory_pct=load.memory_pct,
            rss_mb=load.rss_mb,
            disk_free_mb=load.disk_free_mb,
            spool_rows=spool.rows,
            spool_oldest_s=spool.oldest_age_s,
            loop_lag_ms=gauges.loop_lag_ms,
            fsync_ms=spool.worst_fsync_s * 1000,
            cycle_ms=gauges.cycle_ms,
            devices_up=gauges.devices_up,
            devices_known=gauges.devices_known,
            clock_quality=ClockQuality.STEPPED if self._steps.stepped() else report.quality,
            clock_error_ms=report.error_ms,
        )


def identity(settings: NodeSettings, role: str) -> tuple[Node, SigningKey]:
    """Who this node is; its key is made at the first start."""
    key = load_or_create(settings.state_directory / "node.key")
    node = Node(
        site=settings.site,
        name=settings.node,
        boot_id=uuid.uuid4().hex,
        software=version("bitcoin-enterprise-suite"),
        role=role,
        public_key=key.verify_key.encode(),
    )
    return node, key


def keys(texts: tuple[str, ...]) -> dict[str, VerifyKey]:
    """Public keys by their id."""
    return {key_id(key): key for key in map(parse_public, texts)}


def spool_of(settings: NodeSettings, clock: Clock) -> Spool:
    limits = SpoolLimits(max_bytes=settings.spool_max_mb << 20)
    return Spool(settings.state_directory / "spool", machine_id=machine_id(), limits=limits, clock=clock)


def uplink_of(
    settings: NodeSettings, node: Node, spool: Spool, handlers: Mapping[str, Handler], clock: Clock
) -> Uplink:
    """Receipts are signed by the same keys that may order."""
    uplink = UplinkSettings(mqtt=settings.mqtt)
    return Uplink(node, spool, trusted=keys(settings.operators), handlers=handlers, settings=uplink, clock=clock)
