"""What a Prometheus server scrapes, collected when it asks. What nobody knows has no line; it is never a zero."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.ingest import Ingest
from controller.views.ports import Operations
from controller.views.summary import summarise
from shared.errors import NotFound
from shared.mqtt import MqttSession

_INGEST = {
    "messages": "Messages taken from the broker",
    "records": "Records stored for the first time",
    "samples": "Samples stored",
    "duplicates": "Records that were stored already",
    "groups": "Transactions",
    "receipts": "Receipts sent",
    "overflowed": "Messages dropped because too many waited; their nodes send them again",
}
_MQTT = {
    "connected": "Sessions with the broker that began",
    "lost": "Sessions that ended against our will",
    "failed": "Attempts to connect that failed",
    "published": "Messages handed to the broker",
    "not_published": "Messages that no session could take",
    "received": "Messages received",
}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """`waiting` counts the side effects that are committed and not settled. `treasury` gives what it knows itself."""

    operations: Operations
    ingest: Ingest
    mqtt: MqttSession
    waiting: Callable[[], Awaitable[int]]
    treasury: Callable[[], Iterable[Metric]] = tuple


class Exposition:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def text(self) -> bytes:
        """The text format 0.0.4."""
        sources = self._sources
        families = [*_ingest(sources.ingest), *_mqtt(sources.mqtt), *_sites(sources.operations)]
        families += sources.treasury()
        waiting = await sources.waiting()
        families.append(
            GaugeMetricFamily("bes_outbox_waiting", "Side effects that are committed, not settled", waiting)
        )
        registry = CollectorRegistry()
        registry.register(_Families(families))
        ProcessCollector(registry=registry)
        return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _ingest(ingest: Ingest) -> Iterator[Metric]:
    for name, meaning in _INGEST.items():
        yield CounterMetricFamily(f"bes_ingest_{name}", meaning, getattr(ingest.counters, name))
    rejected = CounterMetricFamily(
        "bes_ingest_rejected", "Messages and records in quarantine, by code", labels=["code"]
    )
    for code, count in ingest.counters.rejected.items():
        rejected.add_metric([code], count)
    yield rejected
    yield CounterMetricFamily("bes_inbox_handled", "Records handed to their consumer", ingest.consumer.handled)
    yield CounterMetricFamily("bes_inbox_refused", "Records that no consumer could take", ingest.consumer.refused)


def _mqtt(session: MqttSession) -> Iterator[Metric]:
    for name, meaning in _MQTT.items():
        yield CounterMetricFamily(f"bes_mqtt_{name}", meaning, getattr(session.counters, name))


class _SiteFamilies:
    """Gauges with the label `site`, and what else tells their lines apart."""

    def __init__(self) -> None:
        site = ["site"]
        self.miners = GaugeMetricFamily("bes_fleet_miners", "Miners by condition", labels=[*site, "state"])
        self.power_w = GaugeMetricFamily("bes_site_power_w", "W, by the site's main meter", labels=site)
        self.hashrate_ths = GaugeMetricFamily("bes_site_hashrate_ths", "TH/s of miners that report", labels=site)
        self.cap_w = GaugeMetricFamily("bes_site_cap_w", "W that the site may draw now", labels=site)
        self.alarms = GaugeMetricFamily("bes_alarms", "Standing alarms by priority", labels=[*site, "priority"])
        self.solve_ms = GaugeMetricFamily("bes_dispatch_solve_ms", "Of the last decision", labels=site)
        self.gap_pct = GaugeMetricFamily("bes_dispatch_gap_pct", "Of the last decision to its bound", labels=site)
        self.decision_age_s = GaugeMetricFamily("bes_dispatch_age_s", "Of the last decision", labels=site)
        of_node = [*site, "node"]
        self.connected = GaugeMetricFamily("bes_node_connected", "1 where it was heard lately", labels=of_node)
        self.gaps = GaugeMetricFamily("bes_node_gaps", "Gap records: samples gone for good", labels=of_node)
        self.backlog_rows = GaugeMetricFamily("bes_node_backlog_rows", "Rows in its spool", labels=of_node)


def _sites(operations: Operations) -> Iterator[Metric]:
    families = _SiteFamilies()
    for site in operations.fleet.sites():
        try:
            _fill(families, operations, site.id)
        except NotFound:
            continue  # nobody has described it yet
    yield from vars(families).values()


def _fill(families: _SiteFamilies, operations: Operations, site: str) -> None:
    summary = summarise(operations.fleet.frame(site), operations.energy.state(site))
    decision = operations.dispatch.decision(site)
    for state, count in summary.conditions.items():
        families.miners.add_metric([site, state], count)
    for priority in (1, 2, 3):
        standing = operations.alarms.standing(site)
        families.alarms.add_metric([site, str(priority)], sum(alarm.priority == priority for alarm in standing))
    known = [
        (families.power_w, summary.power_w.value),
        (families.hashrate_ths, summary.hashrate_ths.value),
        (families.cap_w, summary.cap_w),
        (families.solve_ms, None if decision is None else decision.solve_ms),
        (families.gap_pct, None if decision is None else decision.gap_pct),
        (families.decision_age_s, None if decision is None else (summary.at_ms - decision.at_ms) / 1000),
    ]
    for family, value in known:
        if value is not None:
            family.add_metric([site], value)
    for node in operations.nodes.nodes(site):
        families.connected.add_metric([site, node.id], float(node.connected))
        families.gaps.add_metric([site, node.id], node.gaps)
        if node.backlog_rows is not None:
            families.backlog_rows.add_metric([site, node.id], node.backlog_rows)
