"""A site's agents: last contact, backlog, clock, health, and what they have lost for good."""

import msgspec

from controller.fleet import FleetService, Node
from controller.operations.history import gap_views
from controller.operations.moment import Moments
from controller.operations.ports import Telemetry
from controller.views.history import GapView
from controller.views.site import NodeView
from shared.clock import Clock
from shared.wire.telemetry import HostSample, TelemetryBatch

CONNECTED_WITHIN_MS = 15_000


class HostBook:
    """The newest word of each node about itself; a sink of ingest."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], HostSample] = {}

    def apply(self, site: str, node: str, batch: TelemetryBatch) -> None:
        sample, known = batch.host, self._samples.get((site, node))
        if sample is not None and (known is None or sample.observed_at_ms >= known.observed_at_ms):
            self._samples[site, node] = sample

    def of(self, site: str, node: str) -> HostSample | None:
        return self._samples.get((site, node))


class LiveNodes:
    """Fills `controller.views.ports.Nodes`."""

    def __init__(
        self, moments: Moments, directory: FleetService, hosts: HostBook, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._moments = moments
        self._directory = directory
        self._hosts = hosts
        self._telemetry = telemetry
        self._clock = clock

    def nodes(self, site: str) -> tuple[NodeView, ...]:
        self._moments.of(site)
        now_ms = self._clock.now_ms()
        nodes = sorted(self._directory.nodes(site), key=lambda node: node.node)
        return tuple(_view(node, self._hosts.of(site, node.node), now_ms) for node in nodes)

    async def gaps(self, site: str, *, limit: int = 100) -> tuple[GapView, ...]:
        self._moments.of(site)
        return gap_views(await self._telemetry.gaps(site, None, limit))


def _view(node: Node, host: HostSample | None, now_ms: int) -> NodeView:
    """What a node said of itself is shown only while it is there to say it; before its first sample, its hello."""
    connected = now_ms - node.last_contact_ms <= CONNECTED_WITHIN_MS
    view = NodeView(
        id=node.node,
        site=node.site,
        role=node.role,
        software=node.software,
        last_contact_ms=node.last_contact_ms,
        connected=connected,
        gaps=node.gaps,
    )
    if not connected:
        return view
    if host is None:
        oldest_s = None if node.backlog_oldest_ms is None else (now_ms - node.backlog_oldest_ms) / 1000
        return msgspec.structs.replace(view, backlog_rows=node.backlog_rows, backlog_oldest_s=oldest_s)
    return msgspec.structs.replace(
        view,
        backlog_rows=host.spool_rows,
        backlog_oldest_s=host.spool_oldest_s,
        clock_quality=host.clock_quality,
        clock_error_ms=host.clock_error_ms,
        devices_up=host.devices_up,
        devices_known=host.devices_known,
        cpu_pct=host.cpu_pct,
        disk_free_mb=host.disk_free_mb,
    )
