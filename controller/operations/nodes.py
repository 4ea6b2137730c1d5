"""A site's agents: last contact, backlog, clock, health, and what they have lost for good."""

import msgspec

from controller.fleet import FleetService, Node
from controller.operations.history import gap_views
from controller.operations.moment import Moments
from controller.operations.ports import Telemetry
from controller.views.history import GapView
from controller.views.site import NodeView
from shared.clock import Clock
from shared.states import ClockQuality
from shared.wire.telemetry import HostSample, TelemetryBatch

CONNECTED_WITHIN_MS = 15_000
LIVES_KEPT = 4


class HostBook:
    """The newest word of each node about itself, for each of its latest lives; a sink of ingest.

    Within a life (boot_id) monotonic time tells what is newer, because a node's clock may step. Which life is the
    present one the node has said in its hello: samples of an older one may still come out of its spool.
    """

    def __init__(self) -> None:
        self._lives: dict[tuple[str, str], dict[str, tuple[float, HostSample]]] = {}

    def apply(self, site: str, node: str, batch: TelemetryBatch) -> None:
        if batch.host is None:
            return
        lives = self._lives.setdefault((site, node), {})
        known = lives.pop(batch.boot_id, None)
        word = (batch.monotonic_s, batch.host)
        lives[batch.boot_id] = word if known is None or word[0] >= known[0] else known
        if len(lives) > LIVES_KEPT:
            del lives[next(iter(lives))]  # not heard for the longest time

    def of(self, site: str, node: str, boot_id: str) -> HostSample | None:
        word = self._lives.get((site, node), {}).get(boot_id)
        return None if word is None else word[1]


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
        return tuple(_view(node, self._hosts.of(site, node.node, node.boot_id), now_ms) for node in nodes)

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
        clock_quality=_clock_quality(host.clock_quality),
        clock_error_ms=host.clock_error_ms,
        devices_up=host.devices_up,
        devices_known=host.devices_known,
        cpu_pct=host.cpu_pct,
        disk_free_mb=host.disk_free_mb,
    )


def _clock_quality(code: int) -> ClockQuality:
    """A code that only a newer agent knows tells us nothing."""
    return ClockQuality(code) if 0 <= code < len(ClockQuality) else ClockQuality.UNKNOWN
